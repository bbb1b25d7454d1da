/** The table of docker flags in docs/parity.md: every row is held against rendered objects. A row without a claim fails, and a claim without a row. */
import { readFileSync } from 'node:fs';
import { isNotRendered, renderJob } from '../../../src/shared/workload/index.ts';
import { environmentOf, given, mainOf, podOf, rendering, type Given } from './world.ts';

const YAML =
  'cpus: 0.5\ncpu_burst_add: 0.25\nmem: 512\ndisk: 2048\ngpus: 1\nhealthcheck_mode: http\nextra_volumes: [{hostPath: /nail/srv, containerPath: /srv, mode: RW}]\nenv: {PAASTA_SERVICE: mine, OWN: "1"}';
const SYSTEM = { volumes: [{ hostPath: '/nail/etc', containerPath: '/nail/etc', mode: 'RO' }] };
const result = rendering({ yaml: YAML, system: SYSTEM });
const pod = podOf(result).spec;
const main = mainOf(result);
const resources = main['resources'] as { requests: Record<string, unknown>; limits: Record<string, unknown> };

const names = (of: ReturnType<typeof rendering>): readonly string[] => environmentOf(of).map((entry) => entry.split(/[=<]/)[0] ?? '');
const capabilities = (yaml: string): { add?: readonly string[]; drop: readonly string[] } =>
  (mainOf(rendering({ yaml }))['securityContext'] as { capabilities: { add?: string[]; drop: string[] } }).capabilities;
const jobOf = (description: Given) => {
  const job = renderJob(given(description), { label: 'remote-run' });
  if (isNotRendered(job)) throw new Error('refused');
  return job.job.spec as {
    ttlSecondsAfterFinished: number;
    activeDeadlineSeconds: number;
    template: { spec: { restartPolicy: string; containers: readonly Record<string, Record<string, unknown>>[] } };
  };
};

const CLAIMS: Readonly<Record<string, () => void>> = {
  '`--cpu-shares`': () => {
    expect(resources.requests['cpu']).toBe(0.5);
  },
  '`--cpu-period`, `--cpu-quota`': () => {
    expect(resources.limits['cpu']).toBe(0.75);
  },
  '`--memory`': () => {
    expect([resources.requests['memory'], resources.limits['memory']]).toEqual(['512Mi', '512Mi']);
  },
  '`--memory-swap` = mem': () => {
    expect(resources.requests['memory']).toBe(resources.limits['memory']);
    expect(JSON.stringify(result.workload)).not.toMatch(/swap/i);
  },
  '`--storage-opt`': () => {
    expect([resources.requests['ephemeral-storage'], resources.limits['ephemeral-storage']]).toEqual(['2048Mi', '2048Mi']);
  },
  '`--gpus`': () => {
    expect([resources.requests['nvidia.com/gpu'], resources.limits['nvidia.com/gpu']]).toEqual([1, 1]);
  },
  '`--net`': () => {
    expect(pod['hostNetwork']).toBeUndefined();
    expect(podOf(rendering({ yaml: `${YAML}\nnet: host`, system: SYSTEM }))).toEqual(podOf(result));
  },
  '`--publish` 8888': () => {
    expect(main['ports']).toEqual([{ containerPort: 8888 }]);
    const [service] = rendering({ yaml: 'cpus: 1', smartstack: 'main: {proxy_port: 20001}' }).services;
    expect((service?.spec?.['ports'] as unknown[])[0]).toMatchObject({ port: 20001, targetPort: 8888 });
  },
  '`--privileged`': () => {
    expect(main['securityContext']).not.toHaveProperty('privileged');
    expect(jobOf({ yaml: 'privileged: true', type: 'adhoc' }).template.spec.containers[0]?.['securityContext']).toMatchObject({
      privileged: true,
    });
  },
  '`--cap-drop`': () => {
    expect(capabilities('cpus: 1')).toEqual({
      drop: [
        'SETPCAP',
        'MKNOD',
        'AUDIT_WRITE',
        'CHOWN',
        'NET_RAW',
        'DAC_OVERRIDE',
        'FOWNER',
        'FSETID',
        'KILL',
        'SETGID',
        'SETUID',
        'NET_BIND_SERVICE',
        'SYS_CHROOT',
        'SETFCAP',
      ],
    });
  },
  '`--cap-add`': () => {
    const own = capabilities('cap_add: [KILL, SYS_PTRACE]');
    expect(own.add).toEqual(['KILL', 'SYS_PTRACE']);
    expect([own.drop.length, own.drop.includes('KILL')]).toEqual([13, false]);
  },
  '`--user`': () => {
    expect([JSON.stringify(pod).includes('runAs')]).toEqual([false]);
  },
  '`--tty`, `--interactive`, `--attach`': () => {
    expect([main['tty'], main['stdin'], main['stdinOnce']]).toEqual([undefined, undefined, undefined]);
  },
  '`--workdir`': () => {
    expect(main['workingDir']).toBeUndefined();
  },
  '`--entrypoint`': () => {
    expect([main['command'], main['args']]).toEqual([undefined, []]);
    expect(mainOf(rendering({ yaml: 'cmd: ./serve --x' }))['command']).toEqual(['sh', '-c', './serve --x']);
  },
  '`--hostname`': () => {
    expect([pod['hostname'], pod['subdomain']]).toEqual([undefined, undefined]);
  },
  '`--label`': () => {
    expect(podOf(result).metadata.labels).toMatchObject({ 'paasta.yelp.com/service': 'ledger_api', 'paasta.yelp.com/instance': 'main' });
  },
  '`--volume`': () => {
    expect(main['volumeMounts']).toEqual([
      { name: 'host--slash-nailslash-etc', mountPath: '/nail/etc', readOnly: true },
      { name: 'host--slash-nailslash-srv', mountPath: '/srv', readOnly: false },
    ]);
    expect(pod['volumes']).toEqual([
      { name: 'host--slash-nailslash-etc', hostPath: { path: '/nail/etc' } },
      { name: 'host--slash-nailslash-srv', hostPath: { path: '/nail/srv' } },
    ]);
  },
  '`--env`': () => {
    expect(environmentOf(result)).toEqual(
      expect.arrayContaining(['PAASTA_SERVICE=mine', 'OWN=1', 'PAASTA_INSTANCE=main', 'PAASTA_RESOURCE_CPUS=0.5']),
    );
    expect(names(result).filter((name) => name === 'PAASTA_SERVICE')).toHaveLength(1);
  },
  '`MARATHON_*`, `MESOS_*`, `HOST`, `PORT`': () => {
    expect(names(result).filter((name) => /^(MARATHON_|MESOS_|HOST$|PORT)/.test(name))).toEqual([]);
    expect(names(result)).toEqual(expect.arrayContaining(['PAASTA_HOST', 'PAASTA_PORT', 'PAASTA_POD_IP', 'POD_NAME']));
  },
  'time zone': () => {
    expect(names(result)).not.toContain('TZ');
    expect(JSON.stringify(pod)).not.toMatch(/zoneinfo|localtime/);
  },
  '`--restart`, back-off': () => {
    expect(pod['restartPolicy']).toBe('Always');
    expect(podOf(rendering({ yaml: `${YAML}\nbackoff_factor: 4\nmax_launch_delay_seconds: 60`, system: SYSTEM }))).toEqual(podOf(result));
  },
  '`--rm`': () => {
    expect(result.workload.spec?.['revisionHistoryLimit']).toBe(0);
    expect(jobOf({ yaml: YAML })).toMatchObject({
      ttlSecondsAfterFinished: 0,
      activeDeadlineSeconds: 3600,
      template: { spec: { restartPolicy: 'Never' } },
    });
    expect(JSON.stringify(jobOf({ yaml: YAML }))).not.toContain('Probe');
  },
  '`--init`': () => {
    expect(pod['shareProcessNamespace']).toBe(true);
  },
  'health check': () => {
    expect(main['livenessProbe']).toEqual({
      httpGet: { path: '/status', port: 8888, scheme: 'HTTP' },
      initialDelaySeconds: 60,
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 30,
    });
  },
  'out of traffic before it is restarted': () => {
    const meshed = mainOf(rendering({ yaml: 'healthcheck_mode: http', smartstack: 'main: {proxy_port: 20001}' }));
    const [ready, live] = [meshed['readinessProbe'], meshed['livenessProbe']] as { periodSeconds: number; failureThreshold: number }[];
    expect([ready?.failureThreshold, live?.failureThreshold]).toEqual([3, 30]);
    expect((ready?.periodSeconds ?? 0) * 3).toBeLessThan((live?.periodSeconds ?? 0) * 30);
  },
};

/** First cells of the table under a heading of docs/parity.md. */
function rowsUnder(heading: string): readonly string[] {
  const page = readFileSync(new URL('../../../docs/parity.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf(`## ${heading}`)).split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split(' | ')[0]?.slice(2) ?? '');
}

describe('docker flag → pod field', () => {
  const rows = rowsUnder('Docker flags and what became of them');
  it('has a claim for every row of the page, and a row for every claim', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect([...rows].sort()).toEqual(Object.keys(CLAIMS).sort());
  });

  it.each(Object.entries(CLAIMS))('%s', (_, claim) => {
    claim();
  });
});

describe('keys of the old executors', () => {
  it.each([
    'backoff_factor: 4',
    'max_launch_delay_seconds: 60',
    'net: bridge',
    'constraints: [[habitat, GROUP_BY]]',
    'extra_docker_args: {a: b}',
    'cfs_period_us: 200000',
    'bounce_priority: 3',
  ])('%s changes no pod', (line) => {
    expect(podOf(rendering({ yaml: `${YAML}\n${line}`, system: SYSTEM }))).toEqual(podOf(result));
  });
});
