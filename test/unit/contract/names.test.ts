import {
  appName,
  dockerImage,
  imageReference,
  labelValue,
  limitWithHash,
  paastaPrefixed,
  pinnedReference,
  registrationLabel,
  sanitiseName,
  secretName,
  serviceAccountName,
  shaOfImage,
  splitReference,
  versionOfImage,
  volumeName,
} from '../../../src/shared/contract/index.ts';
import {
  clusterNameProblem,
  deployGroupProblem,
  imageVersionProblem,
  instanceNameProblem,
  normaliseServiceName,
  quoted,
  serviceNameProblem,
} from '../../../src/shared/contract/validity.ts';

describe('names of objects', () => {
  it.each([
    ['my_service', 'my--service'],
    ['MY_SERVICE', 'my--service'],
    ['_shared', 'underscore-shared'],
    ['_shared_thing', 'underscore-shared--thing'],
    ['a.b', 'a.b'],
  ])('sanitises %s to %s', (name, sanitised) => {
    expect(sanitiseName(name)).toBe(sanitised);
  });

  it('shortens with a piece of the hash, over the limit only', () => {
    expect(limitWithHash('x'.repeat(63))).toBe('x'.repeat(63));
    expect(limitWithHash('k80h97ob9p0u5h0ouuhvqx0e2rz92yv_0bh0c_5i4-wbn396493nqh8calt79v', 20, 8)).toBe('k80h97ob9p0-lfsebqgx');
    expect(labelValue('a'.repeat(70))).toHaveLength(63);
    expect(volumeName('/var/tmp_file.json', 20)).toBe('slash-varslash--1953');
    expect(volumeName('/var/tmp///')).toBe('slash-varslash-tmp');
  });

  it('names objects as PaaSTA does', () => {
    expect(appName('a_b', 'main')).toBe('a--b-main');
    expect(secretName('paastasvc-web', '_shared', 'db_password')).toBe('paastasvc-web-secret-underscore-shared-db--password');
    expect(serviceAccountName('arn:aws:iam::1:role/Web_Role', 'reader')).toBe('paasta--arn-aws-iam-1-role-web-role--reader');
    expect(() => serviceAccountName('')).toThrow(/needs iam_role/);
  });

  it("prefixes label keys, with a domain of one's own if need be", () => {
    const own = { paasta: 'paasta.acme.io/', company: 'acme.io/' };
    expect([paastaPrefixed('service'), paastaPrefixed('pool'), paastaPrefixed('a/b')]).toEqual([
      'paasta.yelp.com/service',
      'yelp.com/pool',
      'a/b',
    ]);
    expect([paastaPrefixed('service', own), paastaPrefixed('pool', own), registrationLabel('web.main', own)]).toEqual([
      'paasta.acme.io/service',
      'acme.io/pool',
      'registrations.paasta.acme.io/web.main',
    ]);
  });
});

describe('images', () => {
  const sha = '1'.repeat(40);

  it('builds and reads references', () => {
    expect(dockerImage('web', { sha, imageVersion: null })).toBe(`services-web:paasta-${sha}`);
    expect(dockerImage('web', { sha, imageVersion: '' })).toBe(`services-web:paasta-${sha}`);
    const reference = imageReference('ghcr.io/acme/', dockerImage('web', { sha, imageVersion: 'v1' }));
    expect(reference).toBe(`ghcr.io/acme/services-web:paasta-${sha}-v1`);
    const pinned = pinnedReference(pinnedReference(reference, 'sha256:old'), 'sha256:new');
    expect(pinned).toBe(`${reference}@sha256:new`);
    expect(versionOfImage(pinned)).toEqual({ sha, imageVersion: 'v1' });
    expect(splitReference('localhost:5000/a/b')).toEqual({ repository: 'localhost:5000/a/b', tag: undefined, digest: undefined });
    expect(splitReference(`localhost:5000/services-web:paasta-1@sha256:x`)).toEqual({
      repository: 'localhost:5000/services-web',
      tag: 'paasta-1',
      digest: 'sha256:x',
    });
  });

  it.each([
    ['docker.io/busybox', 'busybox'],
    ['toolbox-x:1.2.3', '1.2.3'],
    ['x:paasta-', ''],
    ['', ''],
  ])('names what stands for a commit in %s', (image, found) => {
    expect(shaOfImage(image)).toBe(found);
  });
});

describe('names that people write', () => {
  it.each([
    '..',
    '../web',
    'web/..',
    'Web',
    'web--',
    '-web',
    'a b',
    'a\nb',
    'web;rm',
    'é',
    '',
    'x'.repeat(64),
    'a_'.repeat(25) + 'a',
    '$(id)',
  ])('refuses service %j', (name) => {
    expect(serviceNameProblem(name)).toMatchObject({ code: 'BAD_SERVICE_NAME', input: 'service' });
  });

  it.each(['web', 'ledger_api', 'a.b', 'a__b', 'a---b', '0'])('accepts service %s', (name) => {
    expect(serviceNameProblem(name)).toBeUndefined();
  });

  it('knows the other names', () => {
    expect([
      clusterNameProblem('eu-west_1'),
      instanceNameProblem('main-canary'),
      instanceNameProblem('job.action'),
      deployGroupProblem('prod.main'),
      imageVersionProblem('20240102T030405'),
    ]).toEqual([undefined, undefined, undefined, undefined, undefined]);
    expect(instanceNameProblem('_template')?.hint).toMatch(/templates/);
    expect(
      [
        clusterNameProblem('a.b'),
        clusterNameProblem('../x'),
        instanceNameProblem('a..b'),
        deployGroupProblem('a+b'),
        deployGroupProblem('a..b'),
        deployGroupProblem('-a'),
        imageVersionProblem('a+b'),
        imageVersionProblem('x'.repeat(64)),
        imageVersionProblem('-a'),
      ].map((p) => p?.code),
    ).toEqual([
      'BAD_CLUSTER_NAME',
      'BAD_CLUSTER_NAME',
      'BAD_INSTANCE_NAME',
      'BAD_DEPLOY_GROUP',
      'BAD_DEPLOY_GROUP',
      'BAD_DEPLOY_GROUP',
      'BAD_IMAGE_VERSION',
      'BAD_IMAGE_VERSION',
      'BAD_IMAGE_VERSION',
    ]);
  });

  it('takes off what Jenkins and shells add', () => {
    expect(normaliseServiceName('services-web/')).toBe('web');
    expect(normaliseServiceName('services-services-foo')).toBe('services-foo');
  });

  it('shows hostile values on one short line', () => {
    expect(quoted('a\n::error::b')).toBe("'a\\u000a::error::b'");
    expect(quoted('x'.repeat(500))).toHaveLength(80);
    expect(serviceNameProblem('a\nb')?.message).toBe("service: 'a\\u000ab' is not a service name");
  });
});
