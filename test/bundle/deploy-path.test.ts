/** Deploy from the first pass to the last, through the committed bundle against a real control plane: what is in the cluster afterwards, outputs, summary, cost. */
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditCounts, auditMark, type AuditCounts, type Cluster } from '../testbed/index.ts';
import { onCluster } from '../support/cluster-scene.ts';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import type { BundleOptions, BundleRun } from '../support/runner.ts';

const ENTRY = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist', 'deploy', 'index.js');
const WEB = `main:
  cpus: 0.1
  mem: 64
  disk: 64
  instances: 3
  deploy_group: prod
  env: {GREETING: 'good $(HOME) "day"'}
  lifecycle: {pre_stop_drain_seconds: 1}
worker: ${worker()}
`;

interface Live {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string>; readonly generation: number };
  readonly spec: {
    readonly replicas: number;
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: {
        readonly containers: readonly {
          readonly name: string;
          readonly image: string;
          readonly env: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

describe('deploy through the bundle', () => {
  let cluster: Cluster;
  let scene: Scene;
  onCluster(`bdp-${process.pid}`, (...given) => {
    [cluster, scene] = given;
  });

  const deploy = (inputs: Readonly<Record<string, string>> = {}, options: BundleOptions = {}): Promise<BundleRun> =>
    scene.deploy(inputs, { entry: ENTRY, ...options });
  const get = (namespace: string, what: string, path: string): Promise<string> =>
    cluster.must(['-n', namespace, 'get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  const live = async (namespace: string, name: string): Promise<Live> =>
    JSON.parse(await cluster.must(['-n', namespace, 'get', 'deploy', name, '-o', 'json'])) as Live;
  /** A run and what it asked of the API server. */
  const counted = async (
    inputs: Readonly<Record<string, string>>,
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ run: BundleRun; asked: AuditCounts }> => {
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy(inputs, { env });
    return { run, asked: auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }) };
  };

  it('plans without writing, deploys, has nothing to do, and bounces to a new version', async () => {
    scene.write('web/kubernetes-lab.yaml', WEB);
    scene.write('web/smartstack.yaml', 'main: {proxy_port: 20001}\n');
    scene.mark('web', { prod: sha('a') });

    // mode plan and a dry run print what would be done, and write nothing; for mode plan changes are an exit code of their own
    const plan = await counted({ service: 'web', mode: 'plan' });
    expect(plan.run.code).toBe(2);
    expect(plan.run.text).toContain('exit code 2: there are changes');
    expect(plan.run.text).toMatch(/^plan [0-9a-f]+:$/m);
    expect(plan.run.text).toMatch(/\+ Namespace paastasvc-web +create +does not exist yet/);
    expect(plan.run.text).toMatch(/\+ web\.main +create +does not exist yet +starts 3 pods/);
    expect(plan.run.text).toMatch(/\+ web\.worker +create +does not exist yet +starts 2 pods/);
    expect(plan.run.outputs['changed']).toBe('true');
    expect(plan.run.outputs['results']).toContain('"state":"planned"');
    expect(plan.run.summary).toContain('### paasta deploy to lab: plan');
    const dry = await counted({ service: 'web', 'dry-run': 'true' });
    expect(dry.run.code).toBe(0);
    expect(dry.run.outputs['plan-hash']).toBe(plan.run.outputs['plan-hash']);
    expect([...plan.asked.written, ...dry.asked.written]).toEqual([]);
    expect(await cluster.must(['get', 'namespace', 'paastasvc-web', '--ignore-not-found'])).toBe('');

    const first = await deploy({ service: 'web' });
    expect(first.text).toContain('✔ lab: proven (2 deployed)');
    expect(first.code).toBe(0);
    const main = await live('paastasvc-web', 'web-main');
    const version = {
      'paasta.yelp.com/service': 'web',
      'paasta.yelp.com/instance': 'main',
      'paasta.yelp.com/git_sha': sha('a'),
      'paasta.yelp.com/cluster': 'lab',
      'paasta.yelp.com/managed': 'true',
    };
    expect(main.metadata.labels).toMatchObject({ ...version, 'app.kubernetes.io/managed-by': 'paasta-actions' });
    expect(main.spec.template.metadata.labels).toMatchObject({ ...version, 'paasta.yelp.com/deploy_group': 'prod' });
    // the marker is on the object only: in the template it would be part of what bounces
    expect(main.spec.template.metadata.labels).not.toHaveProperty(['app.kubernetes.io/managed-by']);
    expect(main.metadata.labels['paasta.yelp.com/config_sha']).toMatch(/^config[0-9a-f]+$/);
    expect(main.metadata.annotations).toMatchObject({ 'paasta-actions/desired-replicas': '3', 'paasta-actions/config-hash-version': '1' });
    const container = main.spec.template.spec.containers.find((c) => c.name === 'main');
    expect(container?.image).toBe(`registry.invalid/services-web:paasta-${sha('a')}`);
    const env = new Map(container?.env.map(({ name, value }) => [name, value]));
    expect(Object.fromEntries(env)).toMatchObject({
      PAASTA_SERVICE: 'web',
      PAASTA_INSTANCE: 'main',
      PAASTA_DEPLOY_GROUP: 'prod',
      PAASTA_GIT_SHA: sha('a').slice(0, 8),
      PAASTA_DOCKER_IMAGE: `services-web:paasta-${sha('a')}`,
      GREETING: 'good $(HOME) "day"',
    });
    expect(env.has('PAASTA_CLUSTER')).toBe(true);
    for (const kind of ['pdb web-main', 'pdb web-worker', 'svc web---main', 'namespace paastasvc-web'])
      expect([kind, await get('paastasvc-web', kind, '{.metadata.labels.app\\.kubernetes\\.io/managed-by}')]).toEqual([
        kind,
        'paasta-actions',
      ]);
    expect(first.outputs).toMatchObject({ changed: 'true', 'plan-hash': plan.run.outputs['plan-hash'] });
    expect(JSON.parse(first.outputs['summary'] ?? '')).toMatchObject({
      cluster: 'lab',
      mode: 'apply',
      changed: true,
      instances: 2,
      states: { deployed: 2 },
      failed: [],
      cancelled: false,
    });
    expect(JSON.parse(first.outputs['results'] ?? '')).toMatchObject([
      {
        service: 'web',
        instance: 'main',
        cluster: 'lab',
        deploy_group: 'prod',
        state: 'deployed',
        action: 'create',
        sha: sha('a'),
        namespace: 'paastasvc-web',
        name: 'web-main',
        ready: 3,
        wanted: 3,
        failure: null,
      },
      { instance: 'worker', state: 'deployed', ready: 2, wanted: 2 },
    ]);
    expect(first.summary).toContain('### paasta deploy to lab: done');
    expect(first.summary).toContain('| ✅ | web.main | `aaaaaaaa` | deployed, 3/3 ready');
    // the token of the kubeconfig went to the API server with every request, and nowhere else
    expect(first.text.replace(/^::add-mask::.*$/gm, '') + first.summary + JSON.stringify(first.outputs)).not.toContain(cluster.adminToken);

    const second = await counted({ service: 'web' }, { RUNNER_DEBUG: '1' });
    // every request and decision is said, and still no token
    expect(second.run.text).toMatch(/^::debug::kubernetes: GET \/apis\/apps\/v1\/deployments\?\S+ → 200/m);
    expect(second.run.text.replace(/^::add-mask::.*$/gm, '')).not.toContain(cluster.adminToken);
    expect(second.run.text).toMatch(/^plan [0-9a-f]+: nothing to do$/m);
    expect(second.run.text).toContain('✔ lab: proven (2 unchanged)');
    expect(second.run.outputs['changed']).toBe('false');
    expect(second.run.summary).toContain('### paasta deploy to lab: nothing to do');
    expect(second.run.code).toBe(0);
    expect(second.asked.written).toEqual([]);
    expect(second.asked.total).toBeLessThanOrEqual(10);
    expect(second.run.text).toContain(`0 writes, ${String(second.asked.total)} API requests`);

    scene.mark('web', { prod: sha('b') });
    const third = await deploy({ service: 'web', instance: 'main' });
    expect(third.text).toMatch(
      /~ web\.main +update +new version aaaaaaaa → bbbbbbbb +bounces 3 pods \(crossover\): up to 3 extra, at least 3 serving/,
    );
    expect(third.code).toBe(0);
    expect(JSON.parse(third.outputs['results'] ?? '')).toMatchObject([
      { instance: 'main', state: 'deployed', action: 'update', sha: sha('b') },
    ]);
    // the other instance was not asked for
    expect((await live('paastasvc-web', 'web-worker')).metadata.labels['paasta.yelp.com/git_sha']).toBe(sha('a'));
    const waited = await counted({ service: 'web', instance: 'main', mode: 'wait' });
    expect(waited.run.text).toContain('✔ lab: proven (1 unchanged)');
    expect(waited.run.code).toBe(0);
    expect(waited.asked.written).toEqual([]);
  });

  it('mode wait: waits for a bounce that another run begins, and writes nothing itself', async () => {
    scene.write('later/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('later', { prod: sha('a') });
    cluster.setFakeRules([{ namespace: 'paastasvc-later', 'ready-after-ms': 500 }]);
    let other: Promise<BundleRun> | undefined;
    const run = await deploy(
      { service: 'later', mode: 'wait' },
      {
        onText: (text) => {
          if (text.includes('waiting for')) other ??= deploy({ service: 'later' });
        },
      },
    );
    expect((await other)?.code).toBe(0);
    expect(run.text).toContain('✔ lab: proven');
    expect(run.outputs['changed']).toBe('false');
    expect(run.text).toContain('0 writes');
    expect(run.code).toBe(0);
  });

  it('mode wait: says after its time what it still waits for', async () => {
    scene.write('never/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('never', { prod: sha('a') });
    const run = await deploy({ service: 'never', mode: 'wait', timeout: '2s' });
    expect(run.text).toMatch(
      /::error .*TIMEOUT,.*::.*never\.main: not done after 2\.0 s: still waiting for the workload to be created%0A {2}next: no run has written it so far: run deploy with mode: apply/,
    );
    expect(run.summary).toContain('⏰');
    expect(run.outputs['results']).toContain('"state":"timeout"');
    expect(run.code).toBe(1);
  });

  it('a newer version that takes the place of ours during the wait: superseded, green, says by what', async () => {
    scene.write('newer/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('newer', { prod: sha('a') });
    cluster.setFakeRules([{ image: `paasta-${sha('a')}`, behaviour: 'never-ready' }]);
    let other: Promise<BundleRun> | undefined;
    const run = await deploy(
      { service: 'newer' },
      {
        onText: (text) => {
          if (other !== undefined || !text.includes('0/2 ready')) return;
          scene.mark('newer', { prod: sha('b') });
          other = deploy({ service: 'newer' });
        },
      },
    );
    expect(run.text).toContain('newer.main: superseded by version bbbbbbbb');
    expect(JSON.parse(run.outputs['results'] ?? '')).toMatchObject([{ state: 'superseded', superseded_by: 'version bbbbbbbb' }]);
    expect(run.summary).toContain('superseded by version bbbbbbbb');
    expect(run.code).toBe(0);
    const newer = await other;
    expect(newer?.text).toContain('✔ lab: proven (1 deployed)');
    expect(newer?.code).toBe(0);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s during the wait: ends with 130, and a later run finishes the work', async (signal) => {
    const service = signal.toLowerCase();
    scene.write(`${service}/kubernetes-lab.yaml`, `main: ${worker()}\nfast: ${worker()}\n`);
    scene.mark(service, { prod: sha('a') });
    cluster.setFakeRules([{ pod: `^${service}-main`, 'ready-after-ms': 15_000 }]);
    let child: { kill(signal: NodeJS.Signals): boolean } | undefined;
    let stopped = false;
    let said = '';
    const run = await deploy(
      { service },
      {
        onStart: (c) => {
          child = c;
        },
        onText: (text) => {
          said += text;
          if (stopped || !said.includes(`${service}.main: 0/2 ready`) || !said.includes(`${service}.fast: 2/2 ready\n`)) return;
          stopped = true;
          child?.kill(signal);
        },
      },
    );
    expect(run.code).toBe(130);
    expect(run.text).toContain(`${signal} received`);
    expect(run.text).toMatch(/cancelled at \d\/2 ready; the cluster goes on by itself/);
    const results = JSON.parse(run.outputs['results'] ?? '') as { instance: string; state: string }[];
    expect(results.map(({ instance, state }) => `${instance} ${state}`)).toEqual(['fast deployed', 'main cancelled']);
    expect(JSON.parse(run.outputs['summary'] ?? '')).toMatchObject({ cancelled: true });
    expect(run.summary).toContain('### paasta deploy to lab: cancelled');

    const again = await counted({ service });
    expect(again.run.text).toContain('✔ lab: proven (2 unchanged)');
    expect(again.asked.written).toEqual([]);
    expect(again.run.code).toBe(0);
  });

  it('two runs at once need no lock: both end well, and nothing is left to do', async () => {
    scene.write('twice/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('twice', { prod: sha('a') });
    const runs = await Promise.all([deploy({ service: 'twice' }), deploy({ service: 'twice' })]);
    expect(runs.map((run) => [run.code, run.text.includes('✔ lab: proven')])).toEqual([
      [0, true],
      [0, true],
    ]);
    const third = await counted({ service: 'twice' });
    expect(third.run.outputs['changed']).toBe('false');
    expect(third.asked.written).toEqual([]);
  });

  it('broken YAML: file, line and column in text and as annotation on the file; the other services are deployed', async () => {
    scene.write('bad/kubernetes-lab.yaml', 'main:\n  cpus: 1\n  mem: [\n');
    scene.write('half/kubernetes-lab.yaml', `main: ${worker()}\nodd:\n  instances: many\n  deploy_group: prod\n`);
    scene.write('good/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.write('far/kubernetes-elsewhere.yaml', 'main: [\n');
    for (const service of ['bad', 'half', 'good']) scene.mark(service, { prod: sha('a') });
    const run = await deploy();
    expect(run.text).toMatch(
      /::error .*file=soa-configs\/bad\/kubernetes-lab\.yaml,line=\d+,col=\d+::soa-configs\/bad\/kubernetes-lab\.yaml:\d+:\d+: /,
    );
    expect(run.text).toMatch(/::error .*file=soa-configs\/half\/kubernetes-lab\.yaml,line=3/);
    expect(run.text).not.toContain('far/kubernetes-elsewhere.yaml');
    expect(JSON.parse(run.outputs['results'] ?? '')).toMatchObject([
      { service: 'good', state: 'deployed' },
      { service: 'half', instance: 'main', state: 'deployed' },
      { service: 'half', instance: 'odd', state: 'failed' },
    ]);
    expect(run.summary).toContain('bad/kubernetes-lab.yaml');
    expect(run.code).toBe(1);
  });

  it('a deploy group that was never marked: an error with its next step when asked for, a line otherwise; a broken deployments.json takes down its own service only', async () => {
    scene.write('new/kubernetes-lab.yaml', `main: ${worker()}\nstage: ${worker().replace('deploy_group: prod', 'deploy_group: stage')}\n`);
    scene.mark('new', { prod: sha('a') });
    const asked = await deploy({ service: 'new', 'deploy-group': 'stage' });
    expect(asked.text).toMatch(
      /::error .*NOT_MARKED,file=soa-configs\/new\/kubernetes-lab\.yaml,line=2\S*::.*new\.stage: deploy group 'stage' was never marked%0A {2}next: mark a commit first: mark-for-deployment --service new --deploy-group stage/,
    );
    expect(asked.code).toBe(1);
    scene.write('torn/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.write('torn/deployments.json', '{"v2": {"deployments": {"prod": {"docker_image": "services-t');
    const all = await deploy();
    expect(all.text).toMatch(/new\.stage +- +nothing: deploy group 'stage' was never marked/);
    expect(all.text).toMatch(
      /::error .*DEPLOYMENTS_UNREADABLE,file=soa-configs\/torn\/deployments\.json\S*::.*torn\.main: deployments\.json ends in the middle/,
    );
    expect(JSON.parse(all.outputs['results'] ?? '')).toMatchObject([
      { service: 'new', instance: 'main', state: 'deployed' },
      { instance: 'stage', state: 'not-marked' },
      { service: 'torn', state: 'failed' },
    ]);
    expect(all.code).toBe(1);
  });

  it('an instance that is not declared any more, and soa-configs that are empty: nothing is deleted', async () => {
    scene.write('keep/kubernetes-lab.yaml', `main: ${worker()}\nother: ${worker()}\n`);
    scene.mark('keep', { prod: sha('a') });
    expect((await deploy({ service: 'keep' })).code).toBe(0);
    const before = await cluster.must(['get', 'deploy,pdb,svc', '-A', '-o', 'name']);
    const empty = createScene(cluster);
    try {
      const from = auditMark(cluster.auditLogPath);
      const run = await empty.deploy({}, { entry: ENTRY });
      expect(run.text).toContain('nothing is deployed, and nothing is deleted');
      expect(run.code).toBe(0);
      expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).total).toBe(0);
    } finally {
      empty.remove();
    }
    scene.write('keep/kubernetes-lab.yaml', `main: ${worker()}\n`);
    expect((await deploy({ service: 'keep' })).code).toBe(0);
    expect(await cluster.must(['get', 'deploy,pdb,svc', '-A', '-o', 'name'])).toBe(before);
  });
});
