import { rendering, type Given } from './world.ts';

const BASE: Given = {
  yaml: 'cpus: 0.5\nenv: {A: b, P: SECRET(db)}\nmin_instances: 1\nmax_instances: 4',
  system: { hacheck_sidecar_image_url: 'hacheck:1' },
  smartstack: 'main: {proxy_port: 20001}',
};
const hashOf = (change: Partial<Given>): string => rendering({ ...BASE, ...change }).configHash;
const yaml = (lines: string): Partial<Given> => ({ yaml: `${BASE.yaml}\n${lines}` });
const signature = (value: string): Partial<Given> => ({
  live: { signatures: new Map([['paastasvc-ledger--api-secret-ledger--api-db-signature', value]]) },
});

describe('config hash', () => {
  it('has the form of PaaSTA’s label', () => {
    expect(hashOf({})).toMatch(/^config[0-9a-f]{8}$/);
  });

  // Changing this value means that every instance of every user bounces: bump HASH_VERSION and say so in the changelog.
  it('is pinned', () => {
    expect(hashOf({})).toBe('configfae4bb99');
  });

  it.each([
    ['another commit of soa-configs', { soaCommit: 'abc' }],
    ['live replicas', { live: { replicas: 3 } }],
    ['more instances', { yaml: BASE.yaml.replace('max_instances: 4', 'max_instances: 9') }],
    ['another lower bound', { yaml: BASE.yaml.replace('min_instances: 1', 'min_instances: 2') }],
    ['stopped', { control: { desiredState: 'stop', forceBounce: null } }],
    ['an empty force-bounce token', { control: { desiredState: 'start', forceBounce: '' } }],
    ['disruption budget of the system', { system: { ...BASE.system, pdb_max_unavailable: 1 } }],
    ['an alert setting', yaml('monitoring: {page: true}')],
    ['an ignored key', yaml('cfs_period_us: 200000')],
  ] as [string, Partial<Given>][])('stays with %s', (_, change) => {
    expect(hashOf(change)).toBe(hashOf({}));
  });

  it.each([
    ['another commit', { sha: '0'.repeat(40) }],
    ['an image version', { imageVersion: '20240101T000000' }],
    ['another digest', { digest: `sha256:${'12'.repeat(32)}` }],
    ['a force-bounce token', { control: { desiredState: 'start', forceBounce: '20240301T010203' } }],
    ['the signature of a secret', signature('one')],
    ['more cpus', { yaml: BASE.yaml.replace('cpus: 0.5', 'cpus: 0.6') }],
    ['another variable', { yaml: BASE.yaml.replace('A: b', 'A: c') }],
    ['a system volume', { system: { ...BASE.system, volumes: [{ hostPath: '/x', containerPath: '/x', mode: 'RO' }] } }],
    ['the sidecar’s image', { system: { hacheck_sidecar_image_url: 'hacheck:2' } }],
    ['a bounce method', yaml('bounce_method: brutal')],
    ['minimum uptime', yaml('bounce_health_params: {min_task_uptime: 30}')],
    ['no autoscaling any more', { yaml: BASE.yaml.replace('\nmax_instances: 4', '') }],
    ['the team', yaml('monitoring: {team: other}')],
  ] as [string, Partial<Given>][])('changes with %s', (_, change) => {
    expect(hashOf(change)).not.toBe(hashOf({}));
  });

  it.each([
    ['healthcheck_timeout_seconds: 5', 'healthcheck_timeout_seconds: 5.0', true],
    ['cpu_burst_add: 1', 'cpu_burst_add: 1.0', false],
    ['cpus: 2\ncpu_burst_add: 1', 'cpus: 2\ncpu_burst_add: 1.0', true],
    ['instances: 2', 'instances: 2.0', false],
  ])('a whole number spelt as a float: %j to %j', (before, after, differs) => {
    const of = (lines: string): string =>
      rendering({ yaml: `healthcheck_mode: tcp\n${lines.startsWith('cpus') ? '' : 'cpus: 0.5\n'}${lines}` }).configHash;
    // PaaSTA hashes text, so a number that reaches the pod as 1.0 is another one.
    expect(of(before) !== of(after)).toBe(differs);
  });

  it('changes again when a secret is rotated', () => {
    expect(hashOf(signature('one'))).not.toBe(hashOf(signature('two')));
  });

  it('does not depend on the order of keys in the file', () => {
    expect(hashOf({ yaml: BASE.yaml.split('\n').reverse().join('\n') })).toBe(hashOf({}));
  });
});
