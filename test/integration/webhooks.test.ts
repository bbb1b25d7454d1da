/**
 * Admission webhooks of a cluster, as companies have them, against a real API server: what they refuse is in the plan with their numbers,
 * and what they add is no drift.
 */
import http from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { holdClosedPort } from '../support/closed-port.ts';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import { startSecureFront, type SecureFront } from '../support/network-fronts.ts';
import type { BundleRun } from '../support/runner.ts';
import { until } from '../support/until.ts';
import { auditCounts, auditMark, startCluster, type Cluster } from '../testbed/index.ts';

interface Review {
  readonly request: { readonly uid: string; readonly object: { readonly kind: string; readonly spec?: Record<string, unknown> } };
}
type Patch = readonly { readonly op: 'add' | 'replace'; readonly path: string; readonly value: unknown }[];
type Verdict = { readonly denied: string } | { readonly patch: Patch } | undefined;

/** What the webhook at a path says to an object. */
const WEBHOOKS: Readonly<Record<string, (object: Review['request']['object']) => Verdict>> = {
  '/deny': ({ kind }) => ({ denied: `${kind}: memory limit 64Mi is below the 128Mi that team policy P-17 wants` }),
  '/deny-pods': ({ kind }) => (kind === 'Pod' ? { denied: 'pods need a label cost-centre (found 0 of 1)' } : undefined),
  '/rewrite': ({ kind }) =>
    kind === 'Deployment'
      ? { patch: [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'mirror.invalid/cached:1' }] }
      : undefined,
  '/inject': ({ kind }) => ({
    patch:
      kind === 'Pod'
        ? [
            {
              op: 'add',
              path: '/spec/containers/-',
              value: { name: 'mesh-proxy', image: 'registry.invalid/proxy:1', resources: { requests: { cpu: '50m', memory: '32Mi' } } },
            },
          ]
        : [
            { op: 'add', path: '/metadata/labels/injected', value: 'yes' },
            { op: 'add', path: '/spec/template/metadata/labels/injected', value: 'yes' },
          ],
  }),
};

describe('admission webhooks', () => {
  let cluster: Cluster;
  let scene: Scene;
  let server: http.Server;
  let front: SecureFront;
  beforeAll(async () => {
    cluster = await startCluster({ name: `hooks-${process.pid}`, log: () => undefined });
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const {
          request: { uid, object },
        } = JSON.parse(body) as Review;
        const verdict = WEBHOOKS[(request.url ?? '').split('?')[0] ?? '']?.(object);
        const said =
          verdict === undefined
            ? { allowed: true }
            : 'denied' in verdict
              ? { allowed: false, status: { message: verdict.denied, code: 403 } }
              : { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(verdict.patch)).toString('base64') };
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...said } }));
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    front = await startSecureFront(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`);
  });
  afterAll(async () => {
    await front.stop();
    server.closeAllConnections();
    server.close();
    await cluster.stop();
  });
  beforeEach(() => {
    scene = createScene(cluster);
    cluster.setFakeRules([]);
  });
  afterEach(() => {
    scene.remove();
  });

  const deploy = (inputs: Readonly<Record<string, string>> = {}): Promise<BundleRun> => scene.deploy(inputs);
  /** Registers a webhook for the workloads and pods of one service. */
  async function register(kind: 'Validating' | 'Mutating', name: string, service: string, url = `${front.url}/${name}`): Promise<void> {
    const webhook = {
      name: `${name}.policy.example.com`,
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      failurePolicy: 'Fail',
      timeoutSeconds: 30,
      clientConfig: { url, caBundle: readFileSync(front.caFile).toString('base64') },
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': `paastasvc-${service}` } },
      rules: [{ apiGroups: ['', 'apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments', 'pods'] }],
    };
    await cluster.must(['apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: `${kind}WebhookConfiguration`,
        metadata: { name: `${name}-${service}` },
        webhooks: [webhook],
      }),
    });
  }
  /** Until the API server knows of a webhook, by what it says to a rehearsed write: it looks for new ones about once a second. */
  const known = (service: string, says: RegExp): Promise<void> =>
    until(`${service}: ${String(says)}`, async () => {
      const patch = [
        'patch',
        'deployment',
        `${service}-main`,
        '-n',
        `paastasvc-${service}`,
        '--type=merge',
        '-p',
        '{"spec":{"paused":true}}',
      ];
      return says.test(await cluster.must([...patch, '--dry-run=server', '-o', 'json']).catch(String));
    });
  async function deployed(...services: readonly string[]): Promise<void> {
    for (const service of services) {
      scene.write(`${service}/kubernetes-lab.yaml`, `main: ${worker()}\n`);
      scene.mark(service, { prod: sha('a') });
    }
    const run = await deploy();
    if (run.code !== 0) throw new Error(run.text);
    for (const service of services) scene.mark(service, { prod: sha('b') });
  }

  it('what a webhook refuses is in the plan, with its words and numbers, of the workload and of its pods; nothing is written', async () => {
    await deployed('hooked', 'pods', 'free');
    // For pods only. The API server learns of webhooks in their order.
    await register('Validating', 'deny-pods', 'pods');
    await register('Validating', 'deny', 'hooked');
    await known('hooked', /P-17/);
    const from = auditMark(cluster.auditLogPath);
    const plan = await deploy({ mode: 'plan' });
    expect(plan.text).toMatch(
      /✗ .*admission webhook "deny\.policy\.example\.com" denied the request: Deployment: memory limit 64Mi is below the 128Mi that team policy P-17 wants/,
    );
    expect(plan.text).toMatch(
      /✗ .*admission webhook "deny-pods\.policy\.example\.com" denied the request: pods need a label cost-centre \(found 0 of 1\)/,
    );
    expect(plan.text).toContain('hooked.main: would be refused');
    expect(plan.text).toContain('pods.main: would be refused');
    expect(plan.text).not.toContain('free.main: would be refused');
    expect(plan.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);

    const run = await deploy();
    expect(run.text).toMatch(
      /^hooked\.main: an admission rule of the cluster refuses deployments hooked-main in namespace paastasvc-hooked: .*P-17/m,
    );
    expect(run.text).toMatch(/::error .*ADMISSION_DENIED.*pods need a label cost-centre \(found 0 of 1\)/);
    expect(run.text).toMatch(/free\.main +bbbbbbbb +deployed, 2\/2 ready/);
    expect(run.code).toBe(1);
    // the version before serves
    for (const service of ['hooked', 'pods'])
      expect(
        await cluster.must(['-n', `paastasvc-${service}`, 'get', 'deploy', `${service}-main`, '-o', 'jsonpath={.status.readyReplicas}']),
      ).toBe('2');
  });

  it('what a webhook adds is no drift, counts in the plan, and is not written again', async () => {
    await deployed('meshed');
    await register('Mutating', 'inject', 'meshed');
    await apply({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'compute', namespace: 'paastasvc-meshed' },
      spec: { hard: { 'requests.cpu': '2' } },
    });
    const injected = /cpu 0\.2 → 0\.5 → 0\.3/;
    await known('meshed', /injected/);
    await until('the quota counts', async () =>
      (await cluster.must(['-n', 'paastasvc-meshed', 'get', 'resourcequota', 'compute', '-o', 'jsonpath={.status.used}'])).includes('cpu'),
    );
    const plan = await deploy({ mode: 'plan' });
    expect(plan.text).toMatch(injected);
    expect(plan.code).toBe(2);
    const run = await deploy();
    expect(run.text).toMatch(/meshed\.main +bbbbbbbb +deployed, 2\/2 ready/);
    expect(run.code).toBe(0);
    expect(
      await cluster.must([
        '-n',
        'paastasvc-meshed',
        'get',
        'pods',
        '-l',
        `paasta.yelp.com/git_sha=${sha('b')}`,
        '-o',
        'jsonpath={.items[0].spec.containers[*].name}',
      ]),
    ).toContain('mesh-proxy');
    const from = auditMark(cluster.auditLogPath);
    const again = await deploy();
    expect(again.text).toContain('nothing to do');
    expect(again.code).toBe(0);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
  });

  it('one that puts another value in the place of ours is said, so that nobody wonders why every run writes', async () => {
    await deployed('mirrored', 'plain');
    await register('Mutating', 'rewrite', 'mirrored');
    await known('mirrored', /mirror\.invalid/);
    const run = await deploy();
    expect(run.text).toMatch(
      /^Deployment paastasvc-mirrored\/mirrored-main: the cluster keeps another value than ours in spec\.template\.spec\.containers\[main\]\.image: an admission webhook changes it, and every run will find it different$/m,
    );
    expect(run.text).not.toContain('plain-main: the cluster keeps');
    expect(run.code).toBe(0);
  });

  it('one that does not answer is named with its instances, once waited for, and holds back no other', async () => {
    const services = ['silenta', 'silentb', 'silentc', 'loud'];
    await deployed(...services);
    const { port, release } = await holdClosedPort();
    for (const service of services.slice(0, 3)) await register('Validating', 'gone', service, `https://127.0.0.1:${String(port)}/gone`);
    for (const service of services.slice(0, 3)) await known(service, /connection refused/);
    const run = await deploy();
    for (const service of services.slice(0, 3))
      expect(run.text).toMatch(
        new RegExp(
          `^${service}\\.main: the admission webhook gone\\.policy\\.example\\.com of the cluster does not answer, so that deployments ${service}-main in namespace paastasvc-${service} cannot be written: .*connection refused`,
          'm',
        ),
      );
    expect(run.text).toMatch(/loud\.main +bbbbbbbb +deployed, 2\/2 ready/);
    expect(run.text).toContain('next: run again when it answers');
    expect(run.code).toBe(1);

    const plan = await deploy({ mode: 'plan', service: 'silenta' });
    expect(plan.text).toMatch(/could not be rehearsed: the admission webhook gone\.policy\.example\.com of the cluster does not answer/);
    expect(plan.text).not.toContain('would be refused');
    expect(plan.code).toBe(2);
    release();
  });

  const apply = (object: object): Promise<string> => cluster.must(['apply', '-f', '-'], { input: JSON.stringify(object) });
});
