/** Every key of the schemas: what it changes in the objects, or why it changes nothing. A key without either fails here. */
import { readdirSync, readFileSync } from 'node:fs';
import { INHERITED_KEYS, INSTANCE_KEYS, NO_EFFECT } from '../../../src/shared/soa-configs/index.ts';
import { attempt, given, rendering } from './world.ts';
import { isNotRendered, renderInstance } from '../../../src/shared/workload/index.ts';
import { effectOf, golden, NOT_RENDERED, ROWS, titleOf, TRON_NOT_RENDERED } from './golden-keys.ts';

const SCHEMAS = new URL('../../../src/shared/soa-configs/schemas/', import.meta.url);

interface Shape {
  readonly deprecationMessage?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly patternProperties?: Readonly<Record<string, Shape>>;
  readonly definitions?: Readonly<Record<string, Shape>>;
}
const schema = (name: string): Shape => JSON.parse(readFileSync(new URL(`${name}.json`, SCHEMAS), 'utf8')) as Shape;
const ofInstance = (name: string): Readonly<Record<string, Shape>> =>
  Object.entries(schema(name).patternProperties ?? {}).find(([pattern]) => pattern !== '^_')?.[1].properties ?? {};
const rowsOf = (...types: readonly string[]): ReadonlySet<string> =>
  new Set(ROWS.filter(({ type }) => types.includes(type)).map(({ key }) => key));

describe('what a key changes', () => {
  const expected = golden();
  it.each(ROWS.map((row) => [titleOf(row), row] as const))('%s', (title, row) => {
    const effect = effectOf(row);
    expect(Object.keys(effect).length).toBeGreaterThan(0);
    expect(effect).toEqual(expected[title]);
  });

  it('has no row that nobody asks for', () => {
    expect(Object.keys(expected).sort()).toEqual(ROWS.map(titleOf).sort());
  });
});

describe('every key of the schemas has a row', () => {
  const idle = new Set(Object.keys(NO_EFFECT));
  it.each(['kubernetes', 'eks'])('%s', (name) => {
    const rows = rowsOf('kubernetes', 'eks');
    expect(Object.keys(ofInstance(name)).filter((key) => !rows.has(key) && !idle.has(key) && NOT_RENDERED[key] === undefined)).toEqual([]);
  });

  it('adhoc', () => {
    const rows = rowsOf('kubernetes', 'adhoc');
    expect(Object.keys(ofInstance('adhoc')).filter((key) => !rows.has(key) && !idle.has(key) && NOT_RENDERED[key] === undefined)).toEqual(
      [],
    );
  });

  it.each([
    ['job', 'tron job'],
    ['action', 'tron action'],
  ])('tron: %s', (definition, type) => {
    const rows = rowsOf(type);
    expect(
      Object.keys(schema('tron').definitions?.[definition]?.properties ?? {}).filter(
        (key) => !rows.has(key) && TRON_NOT_RENDERED[key] === undefined,
      ),
    ).toEqual([]);
  });
});

describe('keys without effect', () => {
  it('are those that the schemas say, with the same words', () => {
    const said: Record<string, string> = {};
    const walk = (properties: Readonly<Record<string, Shape>>, path: readonly string[]): void => {
      for (const [key, shape] of Object.entries(properties)) {
        if (shape.deprecationMessage !== undefined)
          said[[...path, key].join('.')] = shape.deprecationMessage.replace('No effect here: ', '').replace(/\.$/, '');
        walk(shape.properties ?? {}, [...path, key]);
      }
    };
    walk(ofInstance('kubernetes'), []);
    const { role: _adhocOnly, ...rest } = NO_EFFECT;
    expect(rest).toEqual(said);
  });

  it.each([
    ['net: bridge', 'net'],
    ['bounce_start_deadline: 5', 'bounce_start_deadline'],
    ['bounce_priority: 3', 'bounce_priority'],
    ['bounce_health_params: {haproxy_min_fraction_up: 0.5}', 'bounce_health_params.haproxy_min_fraction_up'],
    ['backoff_factor: 4', 'backoff_factor'],
    ['max_launch_delay_seconds: 60', 'max_launch_delay_seconds'],
    ['constraints: [[habitat, GROUP_BY]]', 'constraints'],
    ['extra_constraints: [[habitat, GROUP_BY]]', 'extra_constraints'],
    ['monitoring_blacklist: [[region, a]]', 'monitoring_blacklist'],
    ['host_port: 80', 'host_port'],
    ['sfn_autoscaling: {a: b}', 'sfn_autoscaling'],
    ['cfs_period_us: 200000', 'cfs_period_us'],
    ['extra_docker_args: {a: b}', 'extra_docker_args'],
    ['autoscaling: {metrics_providers: [{type: cpu}]}', 'autoscaling'],
    ['min_instances: 2', 'min_instances'],
    ['pod_management_policy: Parallel', 'pod_management_policy'],
  ])('%s: one warning on its line, and the objects are as without it', (line, key) => {
    const [result, without] = [rendering({ yaml: `cpus: 1\n${line}` }), rendering({ yaml: 'cpus: 1' })];
    expect(result.warnings).toMatchObject([
      {
        severity: 'warning',
        code: 'KEY_WITHOUT_EFFECT',
        message: `ledger_api.main in lab-east: ${key} has no effect`,
        file: 'ledger_api/kubernetes-lab-east.yaml',
        line: 3,
      },
    ]);
    expect([result.workload, result.companions]).toEqual([without.workload, without.companions]);
  });

  it('instances beside max_instances is one of them', () => {
    expect(rendering({ yaml: 'instances: 3\nmax_instances: 4' }).warnings).toMatchObject([{ code: 'KEY_WITHOUT_EFFECT', line: 2 }]);
  });

  it.each(Object.keys(NOT_RENDERED))('%s changes no object', (key) => {
    const values: Readonly<Record<string, string>> = {
      dependencies_reference: 'main',
      replication_threshold: '80',
      autotune_limits: '{cpus: {min: 1}}',
      drain_method: 'noop',
      drain_method_params: '{delay: 5}',
      iam_role_provider: 'aws',
    };
    const [result, without] = [rendering({ yaml: `cpus: 1\n${key}: ${values[key] ?? ''}` }), rendering({ yaml: 'cpus: 1' })];
    expect([result.workload, result.companions, result.services]).toEqual([without.workload, without.companions, without.services]);
  });
});

describe('keys that nobody knows', () => {
  it('are said on their line, with what was meant', () => {
    expect(rendering({ yaml: 'cpus: 1\ninstnaces: 3' }).warnings).toMatchObject([
      {
        severity: 'warning',
        code: 'UNKNOWN_KEY',
        line: 3,
        message: expect.stringContaining("'instnaces' is no key of an instance") as string,
        hint: expect.stringContaining('instances') as string,
      },
    ]);
  });

  it('of service.yaml belong there', () => {
    expect(rendering({ yaml: 'cpus: 1', files: { 'ledger_api/service.yaml': 'description: x\nrunbook_of_ours: y\n' } }).warnings).toEqual(
      [],
    );
  });

  it('the list of known keys is that of the schemas', () => {
    expect([...INSTANCE_KEYS].sort()).toEqual(
      [...new Set(['kubernetes', 'eks', 'adhoc'].flatMap((name) => Object.keys(ofInstance(name))))].sort(),
    );
    expect(INHERITED_KEYS.filter((key) => INSTANCE_KEYS.has(key))).toEqual([]);
    expect(readdirSync(SCHEMAS).length).toBeGreaterThan(8);
  });
});

describe('settings of the system configuration that are ours', () => {
  it('startup_probe: a slow start is waited for by a startup probe, as long as PaaSTA waits, and a quick one gets traffic at once', () => {
    const result = rendering({ yaml: 'healthcheck_mode: http', system: { startup_probe: true } });
    const [main] = (result.workload.spec?.['template'] as { spec: { containers: readonly Record<string, Record<string, number>>[] } }).spec
      .containers;
    expect(main?.['startupProbe']).toEqual({
      httpGet: { path: '/status', port: 8888, scheme: 'HTTP' },
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 36,
    });
    expect([main?.['livenessProbe']?.['initialDelaySeconds'], main?.['readinessProbe']?.['initialDelaySeconds']]).toEqual([0, 0]);
    const { periodSeconds = 0, failureThreshold = 0 } = main?.['startupProbe'] ?? {};
    // 60 s of grace and 30 failures every 10 s.
    expect(periodSeconds * failureThreshold).toBe(60 + 30 * 10);
    expect(JSON.stringify(rendering({ yaml: 'healthcheck_mode: http' }).workload)).not.toContain('startupProbe');
    expect(JSON.stringify(rendering({ yaml: 'cpus: 1', system: { startup_probe: true } }).workload)).not.toContain('Probe');
  });

  it('image_pull_secrets: of the system for everybody, of service.yaml beside them, of pod_defaults before them', () => {
    const files = { 'ledger_api/service.yaml': 'image_pull_secrets: [own, regcred]\n' };
    const system = {
      image_pull_secrets: ['regcred', { name: 'own', namespace: 'ci', default: false }],
      pod_defaults: { image_pull_secrets: [{ name: 'first' }] },
    };
    const spec = (result: ReturnType<typeof rendering>): unknown =>
      (result.workload.spec?.['template'] as { spec: Record<string, unknown> }).spec['imagePullSecrets'];
    expect(spec(rendering({ yaml: 'cpus: 1', files, system }))).toEqual([{ name: 'first' }, { name: 'regcred' }, { name: 'own' }]);
    expect(spec(rendering({ yaml: 'cpus: 1', system: { image_pull_secrets: system.image_pull_secrets } }))).toEqual([{ name: 'regcred' }]);
    expect(spec(rendering({ yaml: 'cpus: 1' }))).toBeUndefined();
  });

  it.each([
    ['image_pull_secrets: {name: x, namespace: kube-system}', 'WRONG_TYPE'],
    ['image_pull_secrets: [{name: x, namespace: kube-system}]', 'BAD_SECRET_NAME'],
    ['image_pull_secrets: [Not_A_Name]', 'BAD_SECRET_NAME'],
  ])('service.yaml with %s is refused: a service chooses no secrets of others', (line, code) => {
    const result = attempt({ yaml: 'cpus: 1', files: { 'ledger_api/service.yaml': `${line}\n` } });
    expect(isNotRendered(result) ? result.problems.map((said) => said.code) : []).toEqual([code]);
  });

  it('a wrong list of the system is refused, too', () => {
    const result = renderInstance(given({ yaml: 'cpus: 1', system: { image_pull_secrets: ['Wrong Name'] } }));
    expect(isNotRendered(result) ? result.problems.map((said) => said.code) : []).toEqual(['SYSTEM_CONFIG_TYPE']);
  });
});
