import { environmentOf, mainOf, refusal, rendering, type Given } from './world.ts';

const FIVE = 'min_instances: 1\nmax_instances: 5';

describe('what the API server would refuse is refused before, with its place', () => {
  it.each([
    [
      'a deploy group that is no label',
      { yaml: 'cpus: 1\ndeploy_group: prod/main' },
      'BAD_LABEL_VALUE',
      3,
      /deploy_group 'prod\/main' cannot be a label/,
    ],
    [
      'a deploy group that is too long (R8)',
      { yaml: `cpus: 1\ndeploy_group: ${'x'.repeat(64)}` },
      'LABEL_TOO_LONG',
      3,
      /has 64 characters; a label of a pod holds 63/,
    ],
    ['a pool', { yaml: 'pool: "big node"' }, 'BAD_LABEL_VALUE', 2, /pool 'big node'/],
    [
      'half a second',
      { yaml: 'healthcheck_mode: tcp\nhealthcheck_grace_period_seconds: 12.5' },
      'NOT_A_WHOLE_NUMBER',
      3,
      /healthcheck_grace_period_seconds: 12.5 is not legal; a whole number from 0 is/,
    ],
    [
      'an interval of nothing',
      { yaml: 'healthcheck_mode: tcp\nhealthcheck_interval_seconds: 0' },
      'NOT_A_WHOLE_NUMBER',
      3,
      /a whole number from 1/,
    ],
    [
      'a bounce that cannot move',
      { yaml: 'bounce_margin_factor: 1\nbounce_overprovision_factor: 0.005' },
      'BOUNCE_CANNOT_MOVE',
      3,
      /could never start/,
    ],
    ['bounds the wrong way round', { yaml: 'min_instances: 9\nmax_instances: 5' }, 'MIN_ABOVE_MAX', 2, /min_instances/],
    [
      'a sidecar that asks for more than it may have',
      {
        yaml: 'sidecar_resource_requirements: {hacheck: {limits: {memory: 1025m}}}',
        smartstack: 'main: {proxy_port: 20001}',
        system: { hacheck_sidecar_image_url: 'hacheck:1' },
      },
      'REQUEST_ABOVE_LIMIT',
      2,
      /more memory \(1024Mi\) than it may have \(1025m\)/,
    ],
    ['a secret without a name', { yaml: 'env:\n  P: SECRET()' }, 'BAD_SECRET_NAME', 3, /'P' refers to a secret without a legal name/],
    [
      'two volumes in one place',
      { yaml: 'extra_volumes:\n- {hostPath: /a, containerPath: /x}\nsecret_volumes: [{container_path: /x, secret_name: s}]' },
      'MOUNT_PATH_TWICE',
      1,
      /mounted at '\/x'/,
    ],
    [
      'two forms of one secret',
      {
        yaml: 'secret_volumes:\n- {container_path: /a, secret_name: s}\n- {container_path: /b, secret_name: s, items: [{key: k, path: p}]}',
      },
      'VOLUME_TWICE',
      4,
      /^secret_volumes entries 1 and 2 are one volume of the pod, but do not want the same in it$/,
    ],
    [
      'two forms of one token',
      { yaml: 'projected_sa_volumes:\n- {container_path: /a, audience: x}\n- {container_path: /b, audience: x, expiration_seconds: 600}' },
      'VOLUME_TWICE',
      4,
      /projected_sa_volumes entries 1 and 2/,
    ],
    [
      'a drain that outlasts the pod',
      { yaml: 'lifecycle: {pre_stop_drain_seconds: 45}', options: { preStop: 'native' } },
      'DRAIN_OUTLASTS_GRACE',
      2,
      /killed 30 s after/,
    ],
    ['a namespace that cannot be', { yaml: 'namespace: Prod' }, 'BAD_OBJECT_NAME', 2, /'Prod'/],
    [
      'a StatefulSet whose pods would have no label',
      { instance: 'i'.repeat(50), yaml: 'persistent_volumes: [{container_path: /d, size: 1, mode: RW}]' },
      'NAME_TOO_LONG',
      1,
      /52 are allowed/,
    ],
    [
      'a selector with an unknown operator',
      { yaml: 'node_selectors: {disk: [{operator: Like, value: x}]}' },
      'BAD_SELECTOR_OPERATOR',
      2,
      /legal are In, NotIn, Exists, DoesNotExist, Gt, Lt/,
    ],
    [
      'a selector without its values',
      { yaml: 'node_selectors: {disk: [{operator: NotIn, value: x}]}' },
      'BAD_SELECTOR_OPERATOR',
      2,
      /NotIn needs 'values'/,
    ],
    ['a spread without a key', { yaml: 'topology_spread_constraints: [{max_skew: 2}]' }, 'NO_TOPOLOGY_KEY', 2, /no topology_key/],
    ['cmd and args', { yaml: 'cmd: x\nargs: [y]' }, 'CONFLICTING_KEYS', 3, /cmd and args/],
    ['a file mode', { yaml: 'secret_volumes: [{container_path: /x, secret_name: s, default_mode: "644"}]' }, 'BAD_FILE_MODE', 2, /'644'/],
  ] as [string, Given, string, number, RegExp][])('%s', (_, given, code, line, message) => {
    const problems = refusal(given);
    const found = problems.find((problem) => problem.code === code);
    expect(problems.map((problem) => problem.code)).toContain(code);
    expect(found?.message).toMatch(message);
    expect([found?.severity, found?.file, found?.line]).toEqual(['error', 'ledger_api/kubernetes-lab-east.yaml', line]);
  });

  it('a stop works with bounds the wrong way round: no autoscaler is made then', () => {
    const stopped = rendering({ yaml: 'min_instances: 9\nmax_instances: 5', control: { desiredState: 'stop', forceBounce: null } });
    expect([stopped.replicas, stopped.warnings.map(({ code, severity }) => [code, severity])]).toEqual([0, [['MIN_ABOVE_MAX', 'warning']]]);
  });

  it('two mounts of one secret that want the same of it are one volume', () => {
    const yaml = 'secret_volumes:\n- {container_path: /a, secret_name: s}\n- {container_path: /b, secret_name: s}';
    const { spec } = (rendering({ yaml }).workload.spec as { template: { spec: Record<string, unknown> } }).template;
    const { volumes, containers } = spec as { volumes: { name: string }[]; containers: [{ volumeMounts: Record<string, unknown>[] }] };
    expect(volumes.filter(({ name }) => name === 'secret--s')).toHaveLength(1);
    expect(containers[0].volumeMounts.filter(({ name }) => name === 'secret--s').map(({ mountPath }) => mountPath)).toEqual(['/a', '/b']);
  });

  it('says everything at once', () => {
    const codes = refusal({
      yaml: 'pool: "big node"\ndeploy_group: a/b\nhealthcheck_mode: tcp\nhealthcheck_timeout_seconds: 0.5\nenv: {P: SECRET()}',
    }).map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(['BAD_LABEL_VALUE', 'NOT_A_WHOLE_NUMBER', 'BAD_SECRET_NAME']));
    expect(codes.filter((code) => code === 'BAD_LABEL_VALUE')).toHaveLength(2);
  });

  it('does not start without a digest when digests are wanted; a stop works without', () => {
    expect(refusal({ yaml: 'cpus: 1', digest: null })).toMatchObject([
      { code: 'DIGEST_UNKNOWN', severity: 'error', hint: expect.stringContaining('pin-digest') },
    ]);
    expect(rendering({ yaml: 'cpus: 1', digest: null, control: { desiredState: 'stop', forceBounce: null } }).replicas).toBe(0);
  });
});

describe('an operator’s temporary bounds', () => {
  const hpa = (given: Given): unknown => rendering(given).companions.find(({ kind }) => kind === 'HorizontalPodAutoscaler')?.spec;
  it('win over the file', () => {
    expect(hpa({ yaml: FIVE, live: { autoscalingOverride: { minInstances: 3, maxInstances: 9 } } })).toMatchObject({
      minReplicas: 3,
      maxReplicas: 9,
    });
  });
  it('that contradict the file are ignored with a warning: a deploy never waits for them to expire', () => {
    const result = rendering({ yaml: FIVE, live: { autoscalingOverride: { minInstances: 7 } } });
    expect(result.companions.find(({ kind }) => kind === 'HorizontalPodAutoscaler')?.spec).toMatchObject({
      minReplicas: 1,
      maxReplicas: 5,
    });
    expect(result.warnings.map(({ code, severity }) => [code, severity])).toContainEqual(['OVERRIDE_IGNORED', 'warning']);
  });
});

describe('warnings', () => {
  it.each([
    ['credentials that are not in the cluster', 'boto_keys: [a]', 'CREDENTIALS_NOT_SYNCED'],
    [
      'a storage class that the system does not know',
      'persistent_volumes: [{container_path: /d, size: 1, mode: RW, storage_class_name: gold}]',
      'UNSUPPORTED_STORAGE_CLASS',
    ],
    ['no autoscaler with a bound of 0 (N4)', 'min_instances: 0\nmax_instances: 3', 'AUTOSCALER_WITHOUT_BOUND'],
    ['an unknown metrics provider', `${FIVE}\nautoscaling: {metrics_providers: [{type: cpu}, {type: moon}]}`, 'UNKNOWN_METRICS_PROVIDER'],
  ])('%s', (_, yaml, code) => {
    const found = rendering({ yaml }).warnings.find((warning) => warning.code === code);
    expect([found?.severity, found?.file, typeof found?.line]).toEqual(['warning', 'ledger_api/kubernetes-lab-east.yaml', 'number']);
  });
});

describe('hostile text stays text', () => {
  it('in variables: no shell sees it, and nothing is dropped', () => {
    const env = environmentOf(
      rendering({ yaml: 'env:\n  A: "$(rm -rf /)"\n  B: "one\\ntwo"\n  C: "`id`; $HOME ${X}"\n  __proto__x: "1"' }),
    );
    expect(env).toEqual(expect.arrayContaining(['A=$(rm -rf /)', 'B=one\ntwo', 'C=`id`; $HOME ${X}', '__proto__x=1']));
  });
  it('a user’s PAASTA_* replaces ours where PaaSTA lets it, not where it does not', () => {
    const env = environmentOf(
      rendering({
        yaml: 'env: {PAASTA_SERVICE: mine, PAASTA_PORT: "1", PAASTA_CLUSTER: x, PAASTA_SOA_CONFIGS_SHA: y}',
        soaCommit: 'c0ffee',
      }),
    );
    expect(env).toEqual(expect.arrayContaining(['PAASTA_SERVICE=mine', 'PAASTA_PORT=8888', 'PAASTA_SOA_CONFIGS_SHA=c0ffee']));
    expect(env.filter((entry) => entry.startsWith('PAASTA_CLUSTER'))).toEqual([
      "PAASTA_CLUSTER<-fieldRef:metadata.labels['paasta.yelp.com/cluster']",
    ]);
  });
  it('in registrations: the shell of hacheck never gets it', () => {
    const system = { hacheck_sidecar_image_url: 'hacheck:1' };
    const problems = refusal({
      yaml: 'registrations: ["ledger_api.main; curl evil"]',
      smartstack: '"main; curl evil": {proxy_port: 20001}',
      system,
    });
    expect(problems.map(({ severity }) => severity)).toContain('error');
  });
  it('in the command: only as its argument', () => {
    expect(mainOf(rendering({ yaml: 'cmd: "echo \\"$(id)\\""' }))['command']).toEqual(['sh', '-c', 'echo "$(id)"']);
  });
});
