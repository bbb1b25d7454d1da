import { ApiRefusal, isTransient, refusal, unreachable, type Asked } from '../../../src/shared/kubernetes/refusals.ts';

const target = { server: 'https://k:6443', context: 'lab' };
const asked: Asked = { verb: 'patch', resource: 'deployments', group: 'apps', namespace: 'web', name: 'web-main' };
const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe('refusals of the API server name what to change', () => {
  it.each<[number, { message: string; reason?: string }, string, RegExp, RegExp]>([
    [
      403,
      {
        reason: 'Forbidden',
        message:
          'deployments.apps "web-main" is forbidden: User "x" cannot patch resource "deployments" in API group "apps" in the namespace "web"',
      },
      'CLUSTER_FORBIDDEN',
      /may not patch deployments\.apps in namespace web/,
      /grant the verb 'patch' on 'deployments.apps'/,
    ],
    [
      403,
      { reason: 'Forbidden', message: 'pods "x" is forbidden: exceeded quota: small, requested: pods=1' },
      'QUOTA_EXCEEDED',
      /exceeded quota: small/,
      /raise the ResourceQuota/,
    ],
    [
      400,
      { message: 'admission webhook "policy.example" denied the request: no latest tags' },
      'ADMISSION_DENIED',
      /no latest tags/,
      /so that the rule is met/,
    ],
    [
      500,
      {
        reason: 'InternalError',
        message:
          'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: Post "https://x": dial tcp 10.0.0.1:443: connect: connection refused',
      },
      'WEBHOOK_UNAVAILABLE',
      /^the admission webhook hook\.example\.com of the cluster does not answer, so that deployments web-main in namespace web cannot be written: .*connection refused/,
      /run again when it answers/,
    ],
    [401, { message: 'Unauthorized' }, 'CLUSTER_UNAUTHORIZED', /context 'lab'/, /renew the token/],
    [404, { message: 'namespaces "web" not found' }, 'NAMESPACE_MISSING', /namespace web does not exist/, /create it/],
    [422, { message: 'Deployment.apps "x" is invalid' }, 'OBJECT_INVALID', /is invalid/, /key of the instance/],
    [
      500,
      { message: 'failed to create typed patch object: .spec.bogus: field not declared in schema' },
      'UNKNOWN_FIELD',
      /spec\.bogus/,
      /upgrade the cluster/,
    ],
  ])('%i %j → %s', (status, body, code, message, hint) => {
    const found = refusal(status, body, asked, target);
    expect(found).toBeInstanceOf(ApiRefusal);
    expect(found.problems[0]).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
      hint: expect.stringMatching(hint) as string,
    });
    expect(found.status).toBe(status);
  });
});

describe('errors on the way name server, context and next step', () => {
  it.each<[Error, string, RegExp, boolean]>([
    [coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:6443'), 'CLUSTER_UNREACHABLE', /nothing listens there/, true],
    [coded('ENOTFOUND', 'getaddrinfo ENOTFOUND k'), 'CLUSTER_UNREACHABLE', /does not resolve/, false],
    [coded('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate'), 'CLUSTER_TLS', /certificate-authority-data/, false],
    [Object.assign(new Error('fetch failed'), { cause: coded('ERR_TLS_CERT_ALTNAME_INVALID') }), 'CLUSTER_TLS', /tls-server-name/, false],
    [coded('UND_ERR_SOCKET', 'other side closed'), 'CLUSTER_UNREACHABLE', /can reach the API server/, true],
  ])('%s', (error, code, hint, transient) => {
    const found = unreachable(error, target);
    expect(found).toMatchObject({ code, hint: expect.stringMatching(hint) as string });
    expect(found.message).toContain('https://k:6443');
    expect(found.message).toContain("context 'lab'");
    expect(isTransient(error)).toBe(transient);
  });
});
