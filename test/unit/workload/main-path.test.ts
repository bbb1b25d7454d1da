import { renderNamespace } from '../../../src/shared/workload/index.ts';
import { DIGEST, environmentOf, mainOf, podOf, rendering, SHA } from './world.ts';

const SMARTSTACK = 'main:\n  proxy_port: 20001\n  timeout_server_ms: 5000\n  endpoint_timeouts: {/slow: 30000}\n';
const YAML =
  'cpus: 0.5\nmem: 512\ndisk: 256\nmin_instances: 2\nmax_instances: 6\nbounce_margin_factor: 0.9\ncmd: ./serve\nmonitoring: {team: payments}\ndeploy_group: prod.main';
const HACHECK = { hacheck_sidecar_image_url: 'registry.example.net/hacheck:7' };

describe('the reference instance (runtime contract §8.2)', () => {
  const result = rendering({ yaml: YAML, smartstack: SMARTSTACK, system: HACHECK, live: { replicas: 4 }, soaCommit: 'c0ffee' });
  const main = mainOf(result);

  it('is a Deployment with PaaSTA’s name, namespace, labels and our marker on the object only', () => {
    expect([result.workload.apiVersion, result.workload.kind, result.workload.metadata.name, result.workload.metadata.namespace]).toEqual([
      'apps/v1',
      'Deployment',
      'ledger--api-main',
      'paastasvc-ledger--api',
    ]);
    expect(result.workload.metadata.labels).toEqual({
      'paasta.yelp.com/service': 'ledger_api',
      'paasta.yelp.com/instance': 'main',
      'paasta.yelp.com/git_sha': SHA,
      'paasta.yelp.com/config_sha': result.configHash,
      'paasta.yelp.com/cluster': 'lab-east',
      'paasta.yelp.com/autoscaled': 'true',
      'paasta.yelp.com/pool': 'default',
      'paasta.yelp.com/managed': 'true',
      'yelp.com/paasta_service': 'ledger_api',
      'yelp.com/paasta_instance': 'main',
      'yelp.com/paasta_git_sha': SHA,
      'yelp.com/paasta_config_sha': result.configHash,
      'yelp.com/owner': 'compute_infra_platform_experience',
      'app.kubernetes.io/managed-by': 'paasta-actions',
    });
    expect(podOf(result).metadata.labels).not.toHaveProperty('app.kubernetes.io/managed-by');
    expect(result.workload.metadata.annotations).toEqual({
      'paasta-actions/config-hash-version': '1',
      'paasta-actions/desired-replicas': '4',
      'paasta-actions/soa-configs-commit': 'c0ffee',
    });
    expect(Object.keys(podOf(result).metadata.annotations).filter((key) => key.startsWith('paasta-actions'))).toEqual([]);
  });

  it('replaces pods by crossover with exact percentages', () => {
    expect(result.workload.spec).toMatchObject({
      replicas: 4,
      minReadySeconds: 0,
      revisionHistoryLimit: 0,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: '10%' } },
    });
  });

  it('runs the digest', () => {
    expect(main['image']).toBe(`registry.example.net/services-ledger_api:paasta-${SHA}@${DIGEST}`);
    expect([result.image, result.imageDigest, result.mainContainer]).toEqual([main['image'], DIGEST, 'main']);
  });

  it('gives PaaSTA’s environment in PaaSTA’s order', () => {
    expect(environmentOf(result)).toEqual([
      'PAASTA_SERVICE=ledger_api',
      'PAASTA_INSTANCE=main',
      'PAASTA_DEPLOY_GROUP=prod.main',
      `PAASTA_DOCKER_IMAGE=services-ledger_api:paasta-${SHA}`,
      'PAASTA_RESOURCE_CPUS=0.5',
      'PAASTA_RESOURCE_MEM=512',
      'PAASTA_RESOURCE_DISK=256',
      'PAASTA_GIT_SHA=8f3c0d9a',
      'PAASTA_MONITORING_TEAM=payments',
      'PAASTA_INSTANCE_TYPE=kubernetes',
      'AWS_SDK_UA_APP_ID=ledger_api.main',
      'PAASTA_PORT=8888',
      'PAASTA_SOA_CONFIGS_SHA=c0ffee',
      'PAASTA_POD_IP<-fieldRef:status.podIP',
      'POD_NAME<-fieldRef:metadata.name',
      'PAASTA_HOST<-fieldRef:spec.nodeName',
      "PAASTA_CLUSTER<-fieldRef:metadata.labels['paasta.yelp.com/cluster']",
    ]);
  });

  it('drains as long as the slowest endpoint may take', () => {
    expect(podOf(result).spec['terminationGracePeriodSeconds']).toBe(362);
    expect(main['lifecycle']).toEqual({
      preStop: {
        exec: {
          command: [
            '/bin/sh',
            '-c',
            "sleep 30; while grep '^ *[0-9]*: ........:22B8 ........:.... 01 ' /proc/net/tcp; do sleep 1; echo; done",
          ],
        },
      },
    });
  });

  it('leaves readiness to the hacheck sidecar', () => {
    expect(main).not.toHaveProperty('readinessProbe');
    expect(podOf(result).spec.containers[1]).toMatchObject({
      name: 'hacheck',
      image: 'registry.example.net/hacheck:7',
      readinessProbe: {
        exec: { command: ['flock', '-n', '/readiness_check_lock', 'timeout', '120', '/check_smartstack_up.sh', '8888', 'ledger_api.main'] },
        initialDelaySeconds: 10,
        periodSeconds: 10,
      },
      lifecycle: { preStop: { exec: { command: ['/bin/sh', '-c', '/usr/bin/hadown ledger_api.main; sleep 31'] } } },
    });
  });

  it('has a disruption budget, an autoscaler and a Service, every one with kind, version and marker', () => {
    expect(
      [...result.companions, ...result.services].map(({ apiVersion, kind, metadata }) => [
        apiVersion,
        kind,
        metadata.name,
        metadata.labels?.['app.kubernetes.io/managed-by'],
      ]),
    ).toEqual([
      ['policy/v1', 'PodDisruptionBudget', 'ledger--api-main', 'paasta-actions'],
      ['autoscaling/v2', 'HorizontalPodAutoscaler', 'ledger--api-main', 'paasta-actions'],
      ['v1', 'Service', 'ledger--api---main', 'paasta-actions'],
    ]);
    expect(result.companions[0]?.spec).toEqual({
      maxUnavailable: '10%',
      unhealthyPodEvictionPolicy: 'IfHealthyBudget',
      selector: { matchLabels: { 'paasta.yelp.com/service': 'ledger_api', 'paasta.yelp.com/instance': 'main' } },
    });
    expect(result.companions[1]?.spec).toMatchObject({
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
    });
  });

  it('selects pods by the registration that they carry', () => {
    const selector = result.services[0]?.spec?.['selector'];
    expect(selector).toEqual({ 'registrations.paasta.yelp.com/ledger_api.main': 'true' });
    expect(podOf(result).metadata.labels).toMatchObject(selector as object);
    expect(result.services[0]?.spec?.['ports']).toEqual([
      { name: 'http', port: 20001, targetPort: 8888, protocol: 'TCP', appProtocol: 'http' },
    ]);
  });

  it('is the same, byte for byte, every time', () => {
    expect(
      JSON.stringify(rendering({ yaml: YAML, smartstack: SMARTSTACK, system: HACHECK, live: { replicas: 4 }, soaCommit: 'c0ffee' })),
    ).toBe(JSON.stringify(result));
  });
});

describe('in the mesh without a hacheck image (rule D-no-hacheck)', () => {
  const result = rendering({ yaml: 'healthcheck_mode: http\nhealthcheck_grace_period_seconds: 5', smartstack: SMARTSTACK });
  it('has no sidecar, and the main container answers for readiness before liveness would restart it', () => {
    expect(podOf(result).spec.containers.map((container) => container['name'])).toEqual(['main']);
    expect(mainOf(result)['livenessProbe']).toEqual({
      httpGet: { path: '/status', port: 8888, scheme: 'HTTP' },
      initialDelaySeconds: 5,
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 30,
    });
    expect(mainOf(result)['readinessProbe']).toEqual({
      httpGet: { path: '/status', port: 8888, scheme: 'HTTP' },
      initialDelaySeconds: 5,
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 3,
    });
  });
});

describe('preStop', () => {
  const native = { options: { preStop: 'native' as const } };
  it('native: sleeps without a shell as long as the mesh needs', () => {
    expect(mainOf(rendering({ yaml: 'cpus: 1', smartstack: SMARTSTACK, ...native }))['lifecycle']).toEqual({
      preStop: { sleep: { seconds: 30 } },
    });
  });
  it('native outside the mesh: nothing to wait for, no hook', () => {
    expect(mainOf(rendering({ yaml: 'cpus: 1', ...native }))).not.toHaveProperty('lifecycle');
  });
  it('exec outside the mesh: PaaSTA’s sleep 0', () => {
    expect(mainOf(rendering({ yaml: 'cpus: 1' }))['lifecycle']).toEqual({ preStop: { exec: { command: ['/bin/sh', '-c', 'sleep 0'] } } });
  });
  it('the instance’s own command wins in both forms', () => {
    expect(mainOf(rendering({ yaml: 'lifecycle: {pre_stop_command: [/stop, now]}', ...native }))['lifecycle']).toEqual({
      preStop: { exec: { command: ['/stop', 'now'] } },
    });
  });
});

describe('replicas', () => {
  const autoscaled = 'min_instances: 2\nmax_instances: 6';
  it.each([
    ['a newcomer that is autoscaled starts at max', autoscaled, undefined, 'start', 6],
    ['a live number stays', autoscaled, 4, 'start', 4],
    ['clamped from below', autoscaled, 0, 'start', 2],
    ['clamped from above', autoscaled, 60, 'start', 6],
    ['stopped is 0', autoscaled, 4, 'stop', 0],
    ['without autoscaling the file says', 'instances: 3', 7, 'start', 3],
    ['default 1', 'cpus: 1', undefined, 'start', 1],
  ] as const)('%s', (_, yaml, replicas, desiredState, expected) => {
    const result = rendering({ yaml, live: { replicas }, control: { desiredState, forceBounce: null } });
    expect([result.replicas, result.workload.spec?.['replicas']]).toEqual([expected, expected]);
    expect(result.companions.some(({ kind }) => kind === 'HorizontalPodAutoscaler')).toBe(yaml === autoscaled && desiredState === 'start');
  });
});

describe('digest', () => {
  const image = `registry.example.net/services-ledger_api:paasta-${SHA}`;
  const live = `sha256:${'cd'.repeat(32)}`;
  it('comes from the live object while the tag is the same: nobody is asked', () => {
    expect(rendering({ yaml: 'cpus: 1', live: { image: `${image}@${live}` }, digest: null })).toMatchObject({
      image: `${image}@${live}`,
      imageDigest: live,
    });
  });
  it('of the registry wins: a restart asks again', () => {
    expect(rendering({ yaml: 'cpus: 1', live: { image: `${image}@${live}` } }).imageDigest).toBe(DIGEST);
  });
  it('is left out with pin-digest: false', () => {
    expect(rendering({ yaml: 'cpus: 1', options: { pinDigest: false } })).toMatchObject({ image, imageDigest: undefined });
  });
});

describe('namespace', () => {
  it('carries PaaSTA’s labels and our marker', () => {
    expect(renderNamespace('paastasvc-web')).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'paastasvc-web',
        labels: {
          name: 'paastasvc-web',
          'yelp.com/owner': 'compute_infra_platform_experience',
          'paasta.yelp.com/managed': 'true',
          'app.kubernetes.io/managed-by': 'paasta-actions',
        },
      },
    });
  });
});
