/** The table of docker flags that PaaSTA composed for its first executor, each with the pod field that does its job here (docs/parity.md). */
import { isNotRendered, renderJob } from '../../../src/shared/workload/index.ts';
import { environmentOf, given, mainOf, podOf, rendering } from './world.ts';

const YAML = 'cpus: 0.5\ncpu_burst_add: 0.25\nmem: 512\ndisk: 2048\nhealthcheck_mode: http\nextra_volumes: [{hostPath: /nail/srv, containerPath: /srv, mode: RW}]';
const SYSTEM = { volumes: [{ hostPath: '/nail/etc', containerPath: '/nail/etc', mode: 'RO' }] };
const result = rendering({ yaml: YAML, system: SYSTEM });
const pod = podOf(result).spec;
const main = mainOf(result);
const resources = main['resources'] as { requests: Record<string, unknown>; limits: Record<string, unknown> };

describe('docker flag → pod field', () => {
  it.each([
    ['--cpu-shares = cpus', resources.requests['cpu'], 0.5],
    ['--cpu-quota = cpus + cpu_burst_add', resources.limits['cpu'], 0.75],
    ['--memory = mem, reserved', resources.requests['memory'], '512Mi'],
    ['--memory = mem, limit: a pod cannot swap', resources.limits['memory'], '512Mi'],
    ['--storage-opt = disk', resources.limits['ephemeral-storage'], '2048Mi'],
    ['--net: the pod’s own network', pod['hostNetwork'], undefined],
    ['--publish: container port 8888, no host port', main['ports'], [{ containerPort: 8888 }]],
    ['--privileged: never', (main['securityContext'] as Record<string, unknown>)['privileged'], undefined],
    ['--cap-drop: the 14', ((main['securityContext'] as { capabilities: { drop: string[] } }).capabilities.drop).length, 14],
    ['--restart: the kubelet restarts, with back-off', pod['restartPolicy'], 'Always'],
    ['--tty: none', main['tty'], undefined],
    ['--interactive: none', main['stdin'], undefined],
    ['--workdir: the image’s own', main['workingDir'], undefined],
    ['--entrypoint: the image’s own without cmd', main['command'], undefined],
    ['--init: processes are reaped by the pod’s first one', pod['shareProcessNamespace'], true],
  ])('%s', (_, actual, expected) => {
    expect(actual).toEqual(expected);
  });

  it('--volume: the system’s and the instance’s', () => {
    expect(main['volumeMounts']).toEqual([
      { name: 'host--slash-nailslash-etc', mountPath: '/nail/etc', readOnly: true },
      { name: 'host--slash-nailslash-srv', mountPath: '/srv', readOnly: false },
    ]);
    expect(pod['volumes']).toEqual([
      { name: 'host--slash-nailslash-etc', hostPath: { path: '/nail/etc' } },
      { name: 'host--slash-nailslash-srv', hostPath: { path: '/nail/srv' } },
    ]);
  });

  it('--env: PAASTA_*; nothing of Marathon, Mesos or the time zone', () => {
    const names = environmentOf(result).map((entry) => entry.split(/[=<]/)[0] ?? '');
    expect(names.filter((name) => /^(MARATHON_|MESOS_|HOST$|PORT|TZ$)/.test(name))).toEqual([]);
    expect(names).toEqual(expect.arrayContaining(['PAASTA_SERVICE', 'PAASTA_INSTANCE', 'PAASTA_CLUSTER', 'PAASTA_PORT', 'PAASTA_HOST', 'PAASTA_DOCKER_IMAGE']));
  });

  it('health: every 10 s, 30 failures after a minute of grace', () => {
    expect(main['livenessProbe']).toEqual({ httpGet: { path: '/status', port: 8888, scheme: 'HTTP' }, initialDelaySeconds: 60, periodSeconds: 10, timeoutSeconds: 10, failureThreshold: 30 });
  });

  it('health in the mesh: traffic stops before the container is restarted', () => {
    const meshed = mainOf(rendering({ yaml: 'healthcheck_mode: http', smartstack: 'main: {proxy_port: 20001}' }));
    const [ready, live] = [meshed['readinessProbe'], meshed['livenessProbe']] as { periodSeconds: number; failureThreshold: number }[];
    expect(ready!.periodSeconds * ready!.failureThreshold).toBeLessThan(live!.periodSeconds * live!.failureThreshold);
  });

  it('--rm: a Job is gone as soon as it has ended, and is never restarted', () => {
    const job = renderJob(given({ yaml: YAML }), { label: 'remote-run' });
    if (isNotRendered(job)) throw new Error('refused');
    expect(job.job.spec).toMatchObject({ ttlSecondsAfterFinished: 0, activeDeadlineSeconds: 3600, template: { spec: { restartPolicy: 'Never' } } });
    expect(JSON.stringify(job.job)).not.toContain('Probe');
  });
});

describe('keys of the old executors', () => {
  it.each(['backoff_factor: 4', 'max_launch_delay_seconds: 60', 'net: bridge', 'constraints: [[habitat, GROUP_BY]]', 'extra_docker_args: {a: b}', 'cfs_period_us: 200000', 'bounce_priority: 3'])('%s changes no pod', (line) => {
    expect(podOf(rendering({ yaml: `${YAML}\n${line}`, system: SYSTEM }))).toEqual(podOf(result));
  });
});
