/** Two workloads side by side against a real API server and its controllers, with the rights that docs/rbac.md names: nothing is lost, wherever a run is killed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, type Cluster } from '../testbed/index.ts';
import { observeService, runDeploy, type Observer, type Run, type RunOptions } from '../support/rollout-scene.ts';
import { sha } from '../support/deploy-scene.ts';
import { leastRights } from '../support/limited.ts';
import { until } from '../support/until.ts';

const NAME = `roll-${process.pid}`;
const instance = (more = ''): string =>
  `main: {cpus: 0.1, mem: 64, disk: 64, instances: 3, deploy_group: prod, bounce_margin_factor: 1, lifecycle: {pre_stop_drain_seconds: 0}${more === '' ? '' : `, ${more}`}}\n`;
const filesOf = (more = '', service = 'web'): Record<string, string> => ({
  [`${service}/kubernetes-lab.yaml`]: instance(more),
  [`${service}/smartstack.yaml`]: 'main: {proxy_port: 20001}\n',
});
const state = (run: Run): string | undefined => run.result?.instances[0]?.state;

describe('two workloads side by side', () => {
  let cluster: Cluster;
  let observer: Observer | undefined;
  let kubeconfigPath: string;
  const directory = mkdtempSync(join(tmpdir(), 'paasta-rollout-'));
  beforeAll(async () => {
    cluster = await startCluster({ name: NAME, log: () => undefined });
    kubeconfigPath = await leastRights(cluster, directory, ['plan', 'apply', 'side-by-side']);
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true });
  });
  afterEach(async () => {
    await observer?.stop();
    observer = undefined;
    cluster.setFakeRules([]);
  });
  const workloads = async (service: string): Promise<string[]> =>
    (
      await cluster.must([
        'get',
        'deploy,sts',
        '-A',
        '-l',
        `paasta.yelp.com/service=${service}`,
        '-o',
        'jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} {.spec.replicas}{"\\n"}{end}',
      ])
    )
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  const deploy = (options: RunOptions): Promise<Run> => runDeploy({ kubeconfigPath }, options);

  it('upthendown: killed at each write, the next run finishes, and three always serve', async () => {
    const files = filesOf('bounce_method: upthendown');
    expect(state(await deploy({ files, version: sha('1') }))).toBe('deployed');
    observer = await observeService(cluster, 'web---main', 'web');
    await threeServe(observer);
    let n = 0;
    for (let ended = false; !ended;) {
      n++;
      const version = sha(((n % 8) + 1).toString());
      observer.begin();
      const killed = await deploy({ files, version, killAfter: n });
      ended = killed.result !== undefined;
      const finished = await deploy({ files, version });
      expect([n, state(finished), observer.fewest()]).toEqual([
        n,
        ended ? 'unchanged' : expect.stringMatching(/^(deployed|unchanged)$/),
        3,
      ]);
      expect(await workloads('web')).toHaveLength(1);
      const again = await deploy({ files, version });
      expect([state(again), again.writes]).toEqual(['unchanged', 0]);
    }
    // Created, three pods drained, deleted: at least so many places to be killed at.
    expect(n).toBeGreaterThan(5);
  });

  /** A deployed first version of a service and who serves it. */
  async function serving(service: string, more: string, version = sha('1')): Promise<Observer> {
    expect(state(await deploy({ files: filesOf(more, service), version }))).toBe('deployed');
    observer = await observeService(cluster, `${service}---main`, service);
    await threeServe(observer);
    observer.begin();
    return observer;
  }
  /** Who serves once the observer's own watch has told everything: it is another connection than the run's. */
  async function calm(seen: Observer): Promise<number> {
    await threeServe(seen);
    return seen.serving();
  }
  const threeServe = (seen: Observer): Promise<void> => until('three serve', () => seen.serving() === 3);
  async function volumes(count: number): Promise<void> {
    const items = Array.from({ length: count }, (_, i) => ({
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { generateName: `rollout-${i}-` },
      spec: {
        capacity: { storage: '5Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'ebs',
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: '/tmp' },
      },
    }));
    await cluster.must(['create', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) });
  }
  const VOLUME = 'persistent_volumes: [{container_path: /data, size: 1, mode: RW}]';

  it('a newer mark while two versions stand side by side: three workloads become one, and three always serve', async () => {
    const more = 'bounce_method: upthendown';
    const seen = await serving('third', more);
    cluster.setFakeRules([{ image: sha('2'), 'ready-after-ms': 60_000 }]);
    expect((await deploy({ files: filesOf(more, 'third'), version: sha('2'), killAfter: 1 })).result).toBeUndefined();
    expect(await workloads('third')).toHaveLength(2);
    const run = await deploy({ files: filesOf(more, 'third'), version: sha('3') });
    expect([state(run), seen.fewest()]).toEqual(['deployed', 3]);
    expect(await workloads('third')).toHaveLength(1);
    expect(await deploy({ files: filesOf(more, 'third'), version: sha('3') })).toMatchObject({ writes: 0 });
  });

  it('a version that never comes up: the old one keeps serving, the new one stays to be looked at, and goes with the next mark', async () => {
    const more = 'bounce_method: upthendown';
    const seen = await serving('broken', more);
    cluster.setFakeRules([{ image: sha('2'), behaviour: 'image-pull-error' }]);
    const run = await deploy({ files: filesOf(more, 'broken'), version: sha('2') });
    expect(run.result?.instances).toMatchObject([
      { state: 'failed', diagnosis: { code: 'IMAGE_NOT_FOUND' }, problems: [{ code: 'OLD_KEEPS_SERVING', severity: 'warning' }] },
    ]);
    expect(run.result?.instances[0]?.problems[0]?.message).toMatch(
      /^broken\.main: Deployment paastasvc-broken\/broken-main keeps serving; Deployment paastasvc-broken\/broken-main-[0-9a-f]{8} stays beside it/,
    );
    expect([await workloads('broken'), seen.fewest()]).toEqual([
      [expect.stringContaining('broken-main 3'), expect.stringMatching(/broken-main-[0-9a-f]{8} 3/)],
      3,
    ]);
    // The old mark again undoes it.
    const back = await deploy({ files: filesOf(more, 'broken'), version: sha('1') });
    expect([state(back), await workloads('broken'), seen.fewest()]).toEqual(['deployed', ['Deployment paastasvc-broken/broken-main 3'], 3]);
  });

  it('a bounce that is undone half-way gives its drained pods their traffic back', async () => {
    const seen = await serving('undone', 'bounce_method: upthendown');
    // Created, and one or two pods taken out of traffic.
    expect(
      (await deploy({ files: filesOf('bounce_method: upthendown', 'undone'), version: sha('2'), killAfter: 4 })).result,
    ).toBeUndefined();
    const back = await deploy({ files: filesOf('bounce_method: upthendown', 'undone'), version: sha('1') });
    expect([state(back), await workloads('undone'), seen.fewest()]).toEqual(['deployed', ['Deployment paastasvc-undone/undone-main 3'], 3]);
    expect([await calm(seen), seen.endedInTraffic()]).toEqual([3, []]);
  });

  it('Deployment becomes StatefulSet and back, killed at each write: three always serve', async () => {
    const seen = await serving('kinds', 'bounce_method: crossover');
    await volumes(6);
    let stateful = true;
    for (let n = 1, ended = false; !ended; n += 1) {
      const files = filesOf(stateful ? `bounce_method: crossover, ${VOLUME}` : 'bounce_method: crossover', 'kinds');
      const killed = await deploy({ files, version: sha('1'), killAfter: n });
      ended = killed.result !== undefined && n > 3;
      const finished = await deploy({ files, version: sha('1') });
      expect([n, finished.result?.instances[0]?.diagnosis, state(finished), seen.fewest()]).toEqual([
        n,
        undefined,
        expect.stringMatching(/^(deployed|unchanged)$/),
        3,
      ]);
      expect([n, await workloads('kinds')]).toEqual([n, [`${stateful ? 'StatefulSet' : 'Deployment'} paastasvc-kinds/kinds-main 3`]]);
      expect((await deploy({ files, version: sha('1') })).writes).toBe(0);
      stateful = !stateful;
    }
  });

  it.each([
    ['a new version', 'crossing', 'bounce_method: upthendown', sha('2')],
    ['another namespace', 'crossed', 'bounce_method: crossover, namespace: across', sha('1')],
  ])(
    '%s: pods that are ready take over only when the Service sends them traffic',
    async (_name, service, more, version) => {
      const seen = await serving(service, 'bounce_method: upthendown');
      let told: () => void = () => undefined;
      const traffic = new Promise<void>((resolve) => {
        told = resolve;
      });
      const running = deploy({ files: filesOf(more, service), version, traffic });
      await until('six serve', () => seen.serving() >= 6);
      // The new ones are ready and serve, but the run has not heard of it: looks come every second.
      await delay(2_500);
      expect([seen.serving(), seen.fewest()]).toEqual([6, 3]);
      told();
      expect([state(await running), seen.fewest(), await calm(seen), seen.endedInTraffic()]).toEqual(['deployed', 3, 3, []]);
      expect((await deploy({ files: filesOf(more, service), version })).writes).toBe(0);
    },
    180_000,
  );

  it('drains that take different times: those old pods end that are through with it, none that still serves', async () => {
    const files = (more: string): Record<string, string> => ({
      'paced/kubernetes-lab.yaml': instance(`bounce_method: crossover${more}`)
        .replace('instances: 3', 'instances: 6')
        .replace('bounce_margin_factor: 1', 'bounce_margin_factor: 0.5'),
      'paced/smartstack.yaml': 'main: {proxy_port: 20001}\n',
    });
    expect(state(await deploy({ files: files(''), version: sha('1') }))).toBe('deployed');
    observer = await observeService(cluster, 'paced---main', 'paced');
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    // Three may go at once, and are slow to; the other three begin later, when new ones serve, and are through first.
    const running = deploy({ files: files(', namespace: paces'), version: sha('1'), slow: { pods: 3, until: released } });
    const shrunk = async (): Promise<boolean> => (await workloads('paced')).includes('Deployment paastasvc-paced/paced-main 3');
    await until('the old one is shrunk', shrunk);
    // Time enough for a controller that takes the wrong ones.
    await delay(1_000);
    const midway = await workloads('paced');
    release();
    expect([state(await running), midway, await workloads('paced')]).toEqual([
      'deployed',
      ['Deployment paastasvc-paced/paced-main 3', 'Deployment paces/paced-main 6'],
      ['Deployment paces/paced-main 6'],
    ]);
    expect(observer.endedInTraffic()).toEqual([]);
  });

  it('moves to another namespace, budget included, and three always serve', async () => {
    const seen = await serving('moves', 'bounce_method: crossover');
    const files = filesOf('bounce_method: crossover, namespace: elsewhere', 'moves');
    const plan = await deploy({ files, version: sha('1'), request: { mode: 'plan' } });
    expect(plan.result?.instances[0]).toMatchObject({
      action: 'update',
      reasons: ['side by side: moves from namespace paastasvc-moves to elsewhere'],
      effect: expect.stringContaining('at least 3 serving') as string,
    });
    const run = await deploy({ files, version: sha('1') });
    expect([state(run), await workloads('moves'), seen.fewest()]).toEqual(['deployed', ['Deployment elsewhere/moves-main 3'], 3]);
    expect(
      await cluster.must([
        'get',
        'pdb',
        '-A',
        '--field-selector',
        'metadata.name=moves-main',
        '-o',
        'jsonpath={.items[*].metadata.namespace}',
      ]),
    ).toBe('elsewhere');
    expect((await deploy({ files, version: sha('1') })).writes).toBe(0);
  });

  it('a StatefulSet does not move to another namespace: its volumes could not follow', async () => {
    await volumes(3);
    await serving('stays', VOLUME);
    const run = await deploy({ files: filesOf(`${VOLUME}, namespace: elsewhere`, 'stays'), version: sha('1') });
    expect(run.result?.instances).toMatchObject([{ state: 'blocked', problems: [{ code: 'STATE_CANNOT_MOVE' }] }]);
    expect(await workloads('stays')).toEqual(['StatefulSet paastasvc-stays/stays-main 3']);
  });

  it('volume claims that differ: the StatefulSet is made anew around its pods', async () => {
    await volumes(6);
    const seen = await serving('claims', VOLUME);
    const before = await cluster.must(['-n', 'paastasvc-claims', 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}']);
    const files = filesOf(VOLUME.replace('size: 1', 'size: 2'), 'claims');
    const run = await deploy({ files, version: sha('1') });
    expect(run.result?.instances[0]?.diagnosis).toBeUndefined();
    expect([state(run), await workloads('claims'), seen.fewest() >= 2]).toEqual([
      'deployed',
      ['StatefulSet paastasvc-claims/claims-main 3'],
      true,
    ]);
    expect(
      await cluster.must([
        '-n',
        'paastasvc-claims',
        'get',
        'sts',
        'claims-main',
        '-o',
        'jsonpath={.spec.volumeClaimTemplates[0].spec.resources.requests.storage}',
      ]),
    ).toBe('2Gi');
    expect(before).not.toBe('');
    expect((await deploy({ files, version: sha('1') })).writes).toBe(0);
  });

  it('a selector that cannot be changed: the new one stands beside the old one, and three always serve', async () => {
    const seen = await serving('fixed', 'bounce_method: crossover');
    const live = JSON.parse(await cluster.must(['-n', 'paastasvc-fixed', 'get', 'deploy', 'fixed-main', '-o', 'json'])) as {
      metadata: Record<string, unknown>;
      spec: { selector: { matchLabels: Record<string, string> }; template: { metadata: { labels: Record<string, string> } } };
      status?: unknown;
    };
    for (const field of ['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'managedFields']) delete live.metadata[field];
    delete live.status;
    live.spec.selector.matchLabels['made'] = 'by-hand';
    live.spec.template.metadata.labels['made'] = 'by-hand';
    await cluster.must(['-n', 'paastasvc-fixed', 'delete', 'deploy', 'fixed-main', '--wait=true']);
    await cluster.must(['create', '-f', '-'], { input: JSON.stringify(live) });
    await cluster.must(['-n', 'paastasvc-fixed', 'rollout', 'status', 'deploy/fixed-main', '--timeout=240s']);
    await threeServe(seen);
    seen.begin();
    const files = filesOf('bounce_method: crossover', 'fixed');
    const run = await deploy({ files, version: sha('2') });
    expect(run.result?.instances[0]).toMatchObject({
      state: 'deployed',
      reasons: expect.arrayContaining(['side by side: spec.selector cannot be changed in place']) as string[],
    });
    expect([await workloads('fixed'), seen.fewest()]).toEqual([
      [expect.stringMatching(/Deployment paastasvc-fixed\/fixed-main-[0-9a-f]{8} 3/)],
      3,
    ]);
    // The next version takes the plain name again.
    expect(state(await deploy({ files, version: sha('3') }))).toBe('deployed');
    expect([await workloads('fixed'), seen.fewest()]).toEqual([['Deployment paastasvc-fixed/fixed-main 3'], 3]);
  });

  it('downthenup between kinds: never two of them at once', async () => {
    await volumes(3);
    const seen = await serving('down', 'bounce_method: downthenup');
    const run = await deploy({ files: filesOf(`bounce_method: downthenup, ${VOLUME}`, 'down'), version: sha('2') });
    expect([state(run), seen.mostVersions(), await workloads('down')]).toEqual(['deployed', 1, ['StatefulSet paastasvc-down/down-main 3']]);
    expect(run.log.lines.findIndex((line) => line.includes('deleted Deployment'))).toBeLessThan(
      run.log.lines.findIndex((line) => line.includes('creates StatefulSet')),
    );
  });

  it('brutal between namespaces converges', async () => {
    await serving('brute', 'bounce_method: brutal');
    const run = await deploy({ files: filesOf('bounce_method: brutal, namespace: elsewhere', 'brute'), version: sha('2') });
    expect([state(run), await workloads('brute')]).toEqual(['deployed', ['Deployment elsewhere/brute-main 3']]);
  });

  it('the autoscaler follows the new workload, and a live 5 stays 5', async () => {
    const auto = (more = ''): Record<string, string> => ({
      'auto/kubernetes-lab.yaml': instance(`bounce_method: upthendown, min_instances: 2, max_instances: 8${more}`).replace(
        'instances: 3, ',
        '',
      ),
      'auto/smartstack.yaml': 'main: {proxy_port: 20001}\n',
    });
    expect(state(await deploy({ files: auto(), version: sha('1') }))).toBe('deployed');
    await cluster.must(['-n', 'paastasvc-auto', 'scale', 'deploy/auto-main', '--replicas=5']);
    for (let n = 1, ended = false; !ended; n++) {
      const version = sha(((n % 8) + 1).toString());
      ended = (await deploy({ files: auto(), version, killAfter: n })).result !== undefined;
      const finished = await deploy({ files: auto(), version });
      expect([n, finished.result?.instances[0]?.diagnosis, state(finished)]).toEqual([
        n,
        undefined,
        expect.stringMatching(/^(deployed|unchanged)$/),
      ]);
      const [line = ''] = await workloads('auto');
      const name = /paastasvc-auto\/(\S+) 5$/.exec(line)?.[1];
      expect([n, line]).toEqual([n, expect.stringMatching(/ 5$/)]);
      expect(await cluster.must(['-n', 'paastasvc-auto', 'get', 'hpa', 'auto-main', '-o', 'jsonpath={.spec.scaleTargetRef.name}'])).toBe(
        name,
      );
      expect((await deploy({ files: auto(), version })).writes).toBe(0);
    }
  });

  it('a restart and a change of configuration alone are bounces that are waited for', async () => {
    for (const more of ['bounce_method: upthendown', 'bounce_method: crossover']) {
      const service = more.includes('up') ? 'again' : 'agains';
      await serving(service, more);
      cluster.setFakeRules([{ namespace: `paastasvc-${service}`, 'ready-after-ms': 1_500 }]);
      const restarted = await deploy({ files: filesOf(more, service), version: sha('1'), forceBounce: '123' });
      expect(restarted.result?.instances).toMatchObject([
        { state: 'deployed', ready: 3, reasons: expect.arrayContaining(['restart asked for']) as string[] },
      ]);
      expect(restarted.log.lines.some((line) => line.includes('waiting for'))).toBe(true);
      const changed = await deploy({ files: filesOf(`${more}, env: {LEVEL: debug}`, service), version: sha('1'), forceBounce: '123' });
      expect(changed.result?.instances).toMatchObject([{ state: 'deployed', ready: 3 }]);
      expect(changed.log.lines.some((line) => line.includes('waiting for'))).toBe(true);
      await observer?.stop();
    }
  });

  it('mode wait sees the bounce that another run makes, whatever the new workload is called', async () => {
    const more = 'bounce_method: upthendown';
    await serving('waits', more);
    const waiting = deploy({ files: filesOf(more, 'waits'), version: sha('2'), request: { mode: 'wait' } });
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
    expect(state(await deploy({ files: filesOf(more, 'waits'), version: sha('2') }))).toBe('deployed');
    const waited = await waiting;
    expect([state(waited), waited.writes]).toEqual(['unchanged', 0]);
  });

  it('a run that is overtaken by a newer mark ends as superseded, and both leave one workload', async () => {
    const more = 'bounce_method: upthendown';
    const seen = await serving('late', more);
    cluster.setFakeRules([{ image: sha('2'), 'ready-after-ms': 30_000 }]);
    const slow = deploy({ files: filesOf(more, 'late'), version: sha('2') });
    await until('the second workload', async () => (await workloads('late')).length === 2);
    const fast = await deploy({ files: filesOf(more, 'late'), version: sha('3') });
    expect((await slow).result?.instances).toMatchObject([{ state: 'superseded', supersededBy: 'version 33333333' }]);
    expect([state(fast), seen.fewest(), (await workloads('late')).length]).toEqual(['deployed', 3, 1]);
  });
});
