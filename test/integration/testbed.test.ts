/** The testbed itself: a control plane with a fake node, without root, in seconds. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from '../support/until.ts';
import { auditCounts, auditMark, namedContext, startCluster } from '../testbed/index.ts';
import type { Cluster } from '../testbed/index.ts';
import { knownNames, partState } from '../testbed/parts/places.ts';
import { recorded, recordedNames, startTime } from '../testbed/parts/processes.ts';

const NAME = `itb-${process.pid}`;
const deployment = (name: string, replicas: number, image: string, annotations: Record<string, string> = {}): string =>
  JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name }, annotations }, spec: { containers: [{ name: 'main', image }] } },
    },
  });

describe('a control plane with a fake node', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({
      name: NAME,
      log: (line) => {
        console.error(line);
      },
    });
  });
  afterAll(async () => {
    await cluster.stop();
  });
  const jsonpath = (what: string, path: string): Promise<string> => cluster.must(['get', ...what.split(' '), '-o', `jsonpath=${path}`]);

  it('rolls a Deployment of 5, pinned by digest, and the pods say so', async () => {
    const digest = `sha256:${'b'.repeat(64)}`;
    await cluster.must(['apply', '-f', '-'], { input: deployment('web', 5, 'reg.invalid/web:1') });
    await cluster.must(['rollout', 'status', 'deploy/web', '--timeout=240s']);
    await cluster.must(['set', 'image', 'deploy/web', `main=reg.invalid/web:2@${digest}`]);
    await cluster.must(['rollout', 'status', 'deploy/web', '--timeout=240s']);
    expect(await jsonpath('deploy web', '{.status.readyReplicas}')).toBe('5');
    expect(await jsonpath('pods -l app=web', '{.items[0].status.containerStatuses[0].imageID}')).toBe(`reg.invalid/web@${digest}`);
  });

  it('counts requests by its audit log', async () => {
    const from = auditMark(cluster.auditLogPath);
    await cluster.must(['get', 'deploy', 'web']);
    await cluster.must(['annotate', 'deploy/web', 'a=b']);
    expect(auditCounts(cluster.auditLogPath, from, 'kubectl/')).toMatchObject({ writes: 1, byVerb: { patch: 1 } });
  });

  it('plays failures: a crash loop with logs of this run and the one before', async () => {
    const p = 'fake.paasta-testbed/';
    await cluster.must(['apply', '-f', '-'], {
      input: deployment('crash', 1, 'x', {
        [`${p}behaviour`]: 'crash-loop',
        [`${p}exit-code`]: '3',
        [`${p}log`]: 'now',
        [`${p}previous-log`]: 'boom',
      }),
    });
    await cluster.must([
      'wait',
      '--for=create',
      '--for=jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}=3',
      'pod',
      '-l',
      'app=crash',
      '--timeout=240s',
    ]);
    expect(await cluster.must(['logs', 'deploy/crash', '--previous'])).toBe('boom');
    expect(await cluster.must(['logs', 'deploy/crash'])).toBe('now');
  });

  it('takes rules for the pods that come later', async () => {
    cluster.setFakeRules([{ image: 'missing', behaviour: 'image-pull-error' }]);
    await cluster.must(['apply', '-f', '-'], { input: deployment('pull', 1, 'reg.invalid/missing:1') });
    await cluster.must([
      'wait',
      '--for=create',
      '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff',
      'pod',
      '-l',
      'app=pull',
      '--timeout=240s',
    ]);
  });

  it('RBAC is on: a token without rights is refused', async () => {
    await cluster.must(['create', 'serviceaccount', 'nobody']);
    const file = cluster.kubeconfigFor(await cluster.must(['create', 'token', 'nobody']));
    const ran = await cluster.kubectl(['--kubeconfig', file, 'get', 'pods']);
    expect(ran.exitCode).not.toBe(0);
    expect(ran.stderr).toContain('cannot list resource "pods"');
  });

  it('survives the API server: stopped, started, everything as before', async () => {
    await cluster.stopApiServer();
    expect((await cluster.kubectl(['get', '--raw', '/readyz', '--request-timeout=2s'])).exitCode).not.toBe(0);
    await cluster.startApiServer();
    await cluster.must(['scale', 'deploy/web', '--replicas=6']);
    await cluster.must(['rollout', 'status', 'deploy/web', '--timeout=240s']);
  });

  it('the same name finds the same cluster', async () => {
    const said: string[] = [],
      again = await startCluster({
        name: NAME,
        log: (line) => {
          said.push(line);
        },
      });
    expect(again.server).toBe(cluster.server);
    expect(said.join('\n')).toContain('is up already: reusing it');
  });

  it('ends with the process that started it, when that is killed', async () => {
    const [one, other] = [`${NAME}-k`, `${NAME}-r`];
    const program = [
      `import { startCluster, startRegistry } from ${JSON.stringify(new URL('../testbed/index.ts', import.meta.url).href)};`,
      `await startCluster({ name: ${JSON.stringify(one)}, fakeNodes: 0 });`,
      `await startRegistry({ name: ${JSON.stringify(other)} });`,
      `console.log('up');`,
      `setInterval(() => undefined, 1_000);`,
    ].join('\n');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const states = [partState(one, 'kubernetes'), partState(other, 'registry')];
    const pids = states.flatMap((state) => recordedNames(state).map((process) => recorded(state, process)));
    expect(pids.length).toBeGreaterThan(4);
    child.kill('SIGKILL');
    const left = (): string[] => knownNames().filter((name) => name === one || name === other);
    await until('the end of what the process had started', () => left().length === 0);
    expect(pids.filter((pid) => pid === undefined || startTime(pid) !== undefined)).toEqual([]);
  });

  it('the demo says what it lacks in plain words, without a stack', () => {
    const ran = spawnSync(process.execPath, [fileURLToPath(new URL('../../scripts/demo.ts', import.meta.url))], {
      encoding: 'utf8',
      env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath, PAASTA_TESTBED_CONTEXT: 'nobody' },
    });
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([
      1,
      '',
      "✘ PAASTA_TESTBED_CONTEXT names 'nobody', which kubectl does not find: error: cannot locate context nobody\n" +
        '  see `kubectl config get-contexts`, or unset it to let the testbed start its own cluster\n',
    ]);
  });

  it("uses the user's own cluster when PAASTA_TESTBED_CONTEXT names it, with a kubeconfig of its own, and leaves it running", async () => {
    const before = { KUBECONFIG: process.env['KUBECONFIG'], PAASTA_TESTBED_CONTEXT: process.env['PAASTA_TESTBED_CONTEXT'] };
    const said: string[] = [];
    process.env['KUBECONFIG'] = cluster.kubeconfigPath;
    try {
      // the ambient kubeconfig alone is nothing to us
      expect(await namedContext()).toBeUndefined();
      process.env['PAASTA_TESTBED_CONTEXT'] = cluster.context;
      const own = await startCluster({
        name: `${NAME}-own`,
        log: (line) => {
          said.push(line);
        },
      });
      expect(own).toMatchObject({ from: 'context', context: cluster.context, server: cluster.server });
      expect(said).toEqual([
        `using the cluster of context '${cluster.context}' (PAASTA_TESTBED_CONTEXT), ${cluster.server}: nothing is started`,
      ]);
      expect(own.kubeconfigPath).not.toBe(cluster.kubeconfigPath);
      expect(await own.must(['get', 'deploy', 'web', '-o', 'name'])).toBe('deployment.apps/web');
      await expect(own.restartApiServer()).rejects.toThrow("only for the testbed's own cluster");
      await own.stop();
      expect(existsSync(own.kubeconfigPath)).toBe(false);
    } finally {
      for (const [name, value] of Object.entries(before)) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    }
    expect(await cluster.must(['get', '--raw', '/readyz'])).toBe('ok');
  });
});
