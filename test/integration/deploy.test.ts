/** Deploy against a real API server: what is written, what is left alone, what is said when it fails. Pods are played by a fake node. */
import { auditCounts, auditMark, type Cluster } from '../testbed/index.ts';
import { onCluster } from '../support/cluster-scene.ts';
import { untilBound } from '../support/limited.ts';
import { sha, worker, type Scene } from '../support/deploy-scene.ts';

const NAME = `dep-${process.pid}`;

describe('deploy to a cluster', () => {
  let cluster: Cluster;
  let scene: Scene;
  onCluster(NAME, (...given) => {
    [cluster, scene] = given;
  });
  const get = (namespace: string, what: string, path: string): Promise<string> =>
    cluster.must(['-n', namespace, 'get', ...what.split(' '), '-o', `jsonpath=${path}`]);

  it('deploys first, writes nothing the second time, and bounces to a new version', async () => {
    scene.write(
      'web/kubernetes-lab.yaml',
      `main: {cpus: 0.1, mem: 64, disk: 64, instances: 3, deploy_group: prod, lifecycle: {pre_stop_drain_seconds: 1}}\nworker: ${worker()}\n`,
    );
    scene.write('web/smartstack.yaml', 'main: {proxy_port: 20001}\n');
    scene.mark('web', { prod: sha('a') });
    const first = await scene.deploy({ service: 'web' });
    expect(first.text).toMatch(/web\.main +create +does not exist yet +starts 3 pods/);
    expect(first.text).toContain('✔ lab: proven (2 deployed)');
    expect(first.code).toBe(0);
    expect(first.outputs['changed']).toBe('true');
    expect(
      await get(
        'paastasvc-web',
        'deploy web-main',
        '{.spec.template.spec.containers[0].image} {.metadata.labels.app\\.kubernetes\\.io/managed-by}',
      ),
    ).toBe(`registry.invalid/services-web:paasta-${sha('a')} paasta-actions`);
    expect(await get('paastasvc-web', 'svc', '{.items[0].spec.ports[0].port}')).toBe('20001');

    const from = auditMark(cluster.auditLogPath);
    const second = await scene.deploy({ service: 'web' });
    const counts = auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' });
    expect(second.text).toContain('nothing to do');
    expect(second.text).toContain('0 writes');
    expect(second.outputs['changed']).toBe('false');
    expect(counts.written).toEqual([]);
    expect(counts.total).toBeLessThanOrEqual(10);

    scene.mark('web', { prod: sha('b') });
    const third = await scene.deploy({ service: 'web' });
    expect(third.text).toContain('new version aaaaaaaa → bbbbbbbb');
    expect(third.text).toContain('bounces 3 pods (crossover): up to 3 extra, at least 3 serving');
    expect(third.code).toBe(0);
    const results = JSON.parse(third.outputs['results'] ?? '[]') as { instance: string; state: string; sha: string; ready: number }[];
    expect(results).toMatchObject([
      { instance: 'main', state: 'deployed', sha: sha('b'), ready: 3 },
      { instance: 'worker', state: 'deployed', sha: sha('b'), ready: 2 },
    ]);
    expect(third.summary).toContain('| ✅ | web.main | `bbbbbbbb` | deployed, 3/3 ready');
  });

  it('sees and repairs edits by hand on every kind, a second port beside ours included', async () => {
    scene.write(
      'edit/kubernetes-lab.yaml',
      `main: {cpus: 0.1, mem: 64, disk: 64, instances: 2, deploy_group: prod, lifecycle: {pre_stop_drain_seconds: 1}}\n`,
    );
    scene.write('edit/smartstack.yaml', 'main: {proxy_port: 20002}\n');
    scene.mark('edit', { prod: sha('a') });
    expect((await scene.deploy({ service: 'edit' })).code).toBe(0);
    await cluster.must(['-n', 'paastasvc-edit', 'set', 'env', 'deploy/edit-main', 'PAASTA_SERVICE=evil']);
    await cluster.must(['-n', 'paastasvc-edit', 'scale', 'deploy/edit-main', '--replicas=5']);
    await cluster.must([
      '-n',
      'paastasvc-edit',
      'patch',
      'svc',
      'edit---main',
      '--type=merge',
      '-p',
      '{"spec":{"ports":[{"name":"http","port":1234}]}}',
    ]);
    await cluster.must(['-n', 'paastasvc-edit', 'patch', 'pdb', 'edit-main', '--type=merge', '-p', '{"spec":{"maxUnavailable":2}}']);
    const plan = await scene.deploy({ service: 'edit', mode: 'plan' });
    expect(plan.text).toContain('drift: containers[main].env[PAASTA_SERVICE].value changed by kubectl-set');
    expect(plan.text).toContain('spec.replicas changed by kubectl');
    expect(plan.text).toContain('changed by kubectl-patch');
    expect(plan.outputs['changed']).toBe('true');
    const repaired = await scene.deploy({ service: 'edit' });
    expect(repaired.code).toBe(0);
    expect(await get('paastasvc-edit', 'svc edit---main', '{.spec.ports[*].port}')).toBe('20002');
    expect(await get('paastasvc-edit', 'deploy edit-main', '{.spec.replicas}')).toBe('2');
    expect((await scene.deploy({ service: 'edit' })).outputs['changed']).toBe('false');
  });

  it("leaves PaaSTA's object alone and says adopt; with adopt it takes it over", async () => {
    scene.write('old/kubernetes-lab.yaml', `main: ${worker()}\nother: ${worker()}\n`);
    scene.mark('old', { prod: sha('a') });
    await cluster.must(['create', 'namespace', 'paastasvc-old']);
    const labels = { 'paasta.yelp.com/service': 'old', 'paasta.yelp.com/instance': 'main' };
    const theirs = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'old-main', namespace: 'paastasvc-old', labels: { ...labels, 'paasta.yelp.com/managed': 'true' } },
      spec: {
        replicas: 1,
        paused: false,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations: { theirs: 'yes' } },
          spec: { containers: [{ name: 'main', image: 'registry.invalid/services-old:paasta-0' }] },
        },
      },
    };
    await cluster.must(['create', '-f', '-'], { input: JSON.stringify(theirs) });
    const version = await get('paastasvc-old', 'deploy old-main', '{.metadata.generation}');
    const run = await scene.deploy({ service: 'old' });
    expect(run.code).toBe(1);
    expect(run.text).toContain('Deployment paastasvc-old/old-main exists and was made by PaaSTA, not by us: it is left as it is');
    expect(run.text).toContain('set adopt: true');
    expect(run.text).toMatch(/old\.other +aaaaaaaa +deployed, 2\/2 ready/);
    expect(await get('paastasvc-old', 'deploy old-main', '{.metadata.generation}')).toBe(version);

    const adopted = await scene.deploy({ service: 'old', adopt: 'true' });
    expect(adopted.text).toContain('adopt from PaaSTA');
    expect(adopted.code).toBe(0);
    // What PaaSTA wrote and we do not render is gone with the ownership.
    expect(await get('paastasvc-old', 'deploy old-main', '{.spec.template.metadata.annotations.theirs}')).toBe('');
    expect((await scene.deploy({ service: 'old' })).outputs['changed']).toBe('false');
  });

  it("does not take over a stranger's object that carries no label of ours", async () => {
    scene.write('stray/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('stray', { prod: sha('a') });
    await cluster.must(['create', 'namespace', 'paastasvc-stray']);
    await cluster.must(['-n', 'paastasvc-stray', 'create', 'deployment', 'stray-main', '--image=registry.invalid/x']);
    const run = await scene.deploy({ service: 'stray' });
    expect(run.text).toMatch(/Deployment paastasvc-stray\/stray-main exists and was made by kubectl-create, not by us/);
    expect(run.code).toBe(1);
  });

  it('explains an image that cannot be found and leaves the old version serving', async () => {
    scene.write('gone/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('gone', { prod: sha('a') });
    expect((await scene.deploy({ service: 'gone' })).code).toBe(0);
    cluster.setFakeRules([{ image: `paasta-${sha('b')}`, behaviour: 'image-pull-error' }]);
    scene.mark('gone', { prod: sha('b') });
    const run = await scene.deploy({ service: 'gone' });
    expect(run.code).toBe(1);
    expect(run.text).toContain('IMAGE_NOT_FOUND');
    expect(run.text).toMatch(
      /::error .*IMAGE_NOT_FOUND.*file=soa-configs\/gone\/kubernetes-lab.yaml|::error .*file=soa-configs\/gone\/kubernetes-lab.yaml.*IMAGE_NOT_FOUND/,
    );
    expect(run.summary).toContain('#### ❌ gone.main: `IMAGE_NOT_FOUND`');
    expect(run.outputs['results']).toContain('"code":"IMAGE_NOT_FOUND"');
    expect(await get('paastasvc-gone', 'pods', '{range .items[?(@.status.phase=="Running")]}{.spec.containers[0].image} {end}')).toContain(
      `paasta-${sha('a')}`,
    );
  });

  it('explains a crash loop with the last lines of its log, made harmless; others go on', async () => {
    scene.write('crash/kubernetes-lab.yaml', `main: ${worker()}\nfine: ${worker()}\n`);
    scene.mark('crash', { prod: sha('c') });
    cluster.setFakeRules([
      {
        pod: '^crash-main-',
        behaviour: 'crash-loop',
        'exit-code': 3,
        'previous-log': 'DATABASE_URL is not set\n::set-output name=x::y\n`````\nghp_0123456789abcdefghijklmnopqrstuvwxyz\n',
      },
    ]);
    const run = await scene.deploy({ service: 'crash' });
    expect(run.code).toBe(1);
    expect(run.text).toContain('crash.main: CRASH_LOOP');
    expect(run.text).toContain('    | DATABASE_URL is not set');
    expect(run.text).not.toMatch(/^\s*::set-output/m);
    expect(run.text).not.toContain('ghp_0123');
    expect(run.text).toMatch(/crash\.fine +cccccccc +deployed, 2\/2 ready/);
    expect(run.summary).toContain('DATABASE_URL is not set');
  });

  it('names the quota that refuses the pods', async () => {
    scene.write('quota/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('quota', { prod: sha('a') });
    await cluster.must(['create', 'namespace', 'paastasvc-quota']);
    await cluster.must(['-n', 'paastasvc-quota', 'create', 'quota', 'small', '--hard=pods=1']);
    const run = await scene.deploy({ service: 'quota' });
    expect(run.text).toContain('QUOTA_EXCEEDED');
    expect(run.text).toContain('small');
    expect(run.code).toBe(1);
  });

  it('refuses a cluster that is not the one that is meant', async () => {
    scene.write('web/kubernetes-elsewhere.yaml', `main: ${worker()}\n`);
    scene.mark('web', { prod: sha('a') });
    const from = auditMark(cluster.auditLogPath);
    const byRecord = await scene.deploy({ service: 'web', cluster: 'elsewhere' });
    expect(byRecord.text).toContain("is cluster 'lab', not 'elsewhere'");
    expect(byRecord.code).toBe(1);
    scene.system({ kube_clusters: { elsewhere: { identity: '00000000-0000-0000-0000-000000000000' } } });
    const byIdentity = await scene.deploy({ service: 'web', cluster: 'elsewhere' });
    expect(byIdentity.text).toMatch(/is not cluster 'elsewhere': its identity is [0-9a-f-]{36}, expected 00000000/);
    expect(byIdentity.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
  });

  it('goes on with other kinds when one is forbidden, and names the missing right', async () => {
    scene.write('lim/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('lim', { prod: sha('a') });
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'limited' },
      rules: [
        {
          apiGroups: ['', 'apps', 'events.k8s.io'],
          resources: ['namespaces', 'deployments', 'replicasets', 'pods', 'pods/log', 'events', 'services', 'configmaps'],
          verbs: ['*'],
        },
        { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: ['get', 'list'] },
      ],
    };
    await cluster.must(['apply', '-f', '-'], { input: JSON.stringify(role) });
    await cluster.must(['-n', 'default', 'create', 'serviceaccount', 'limited']);
    await cluster.must(['create', 'clusterrolebinding', 'limited', '--clusterrole=limited', '--serviceaccount=default:limited']);
    await untilBound(cluster, 'default:limited', ['limited']);
    const token = await cluster.must(['-n', 'default', 'create', 'token', 'limited']);
    const run = await scene.deploy({ service: 'lim', kubeconfig: cluster.kubeconfigFor(token) });
    expect(run.text).toMatch(/may not create and patch poddisruptionbudgets\.policy in namespace paastasvc-lim/);
    expect(run.text).toMatch(/lim\.main: 2\/2 ready/);
    expect(run.text).toContain("grant the verbs 'create' and 'patch' on 'poddisruptionbudgets.policy'");
    expect(run.text.replace(/^::add-mask::.*$/gm, '')).not.toContain(token);
    expect(run.code).toBe(1);
  });

  it('survives a restart of the API server in the middle of a bounce', async () => {
    scene.write('rest/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('rest', { prod: sha('a') });
    cluster.setFakeRules([{ namespace: 'paastasvc-rest', 'ready-after-ms': 6_000 }]);
    let restarted: Promise<void> | undefined;
    const run = await scene.deploy(
      { service: 'rest' },
      {
        onText: (text) => {
          if (text.includes('0/2 ready')) restarted ??= cluster.restartApiServer();
        },
      },
    );
    await restarted;
    expect(restarted).toBeDefined();
    expect(run.text).toContain('✔ lab: proven');
    expect(run.code).toBe(0);
  });

  it('ends on a SIGTERM with exit code 130, outputs written, long before its time is over', async () => {
    scene.write('slow/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('slow', { prod: sha('a') });
    cluster.setFakeRules([{ namespace: 'paastasvc-slow', behaviour: 'never-ready' }]);
    let child: { kill(signal: NodeJS.Signals): boolean } | undefined;
    let stopped = false;
    const run = await scene.deploy(
      { service: 'slow', timeout: '1h' },
      {
        onStart: (c) => {
          child = c;
        },
        onText: (text) => {
          if (!stopped && text.includes('0/2 ready')) {
            stopped = true;
            child?.kill('SIGTERM');
          }
        },
      },
    );
    expect(run.code).toBe(130);
    expect(run.outputs['results']).toContain('"state":"cancelled"');
    expect(run.summary).toContain('cancelled');
  });

  it('deletes nothing when soa-configs are empty, and says so', async () => {
    const before = await cluster.must(['get', 'deploy', '-A', '-o', 'name']);
    const run = await scene.deploy();
    expect(run.text).toContain('nothing is deployed, and nothing is deleted');
    expect(run.code).toBe(0);
    expect(await cluster.must(['get', 'deploy', '-A', '-o', 'name'])).toBe(before);
  });

  it('names file and line of broken YAML and deploys the other services', async () => {
    scene.write('bad/kubernetes-lab.yaml', 'main:\n  cpus: 1\n  mem: [\n');
    scene.write('good/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('good', { prod: sha('a') });
    const run = await scene.deploy();
    expect(run.text).toMatch(/bad\/kubernetes-lab\.yaml:\d+/);
    expect(run.text).toMatch(/good\.main +aaaaaaaa +(deployed|unchanged)/);
    expect(run.code).toBe(1);
  });

  it('stops and starts an instance by its control branch', async () => {
    scene.write('halt/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('halt', { prod: sha('a') });
    expect((await scene.deploy({ service: 'halt' })).code).toBe(0);
    scene.mark('halt', { prod: sha('a') }, ['lab.main']);
    const stopped = await scene.deploy({ service: 'halt' });
    expect(stopped.text).toMatch(/halt\.main +stop +stop: 2 → 0 +stops 2 pods/);
    expect(stopped.code).toBe(0);
    scene.mark('halt', { prod: sha('a') });
    const started = await scene.deploy({ service: 'halt' });
    expect(started.text).toMatch(/halt\.main +start +start: 0 → 2 +starts 2 pods/);
    expect(started.code).toBe(0);
  });

  it('says how to mark when the deploy group never was', async () => {
    scene.write('new/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('new', {});
    const run = await scene.deploy({ service: 'new', 'deploy-group': 'prod' });
    expect(run.text).toContain("deploy group 'prod' was never marked");
    expect(run.code).toBe(1);
  });
});
