/** What goes wrong in a cluster, through the committed bundle: each failure is named with its cause and next step, everything else goes on, and the run ends by itself. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditCounts, auditMark, type AuditMark, type Cluster } from '../testbed/index.ts';
import { startProxy } from '../support/network-fronts.ts';
import { onCluster } from '../support/cluster-scene.ts';
import { sha, worker, type Scene } from '../support/deploy-scene.ts';
import { untilBound } from '../support/limited.ts';
import type { BundleOptions, BundleRun } from '../support/runner.ts';
import { until } from '../support/until.ts';

const ENTRY = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist', 'deploy', 'index.js');
const LEAKED = `ghp${'_'}0123456789abcdefghijklmnopqrstuvwxyz`;

interface Result {
  readonly service: string;
  readonly instance: string;
  readonly state: string;
  readonly failure: {
    readonly code: string;
    readonly container: string | null;
    readonly cause: string;
    readonly next: string;
    readonly in_commit: boolean;
  } | null;
}

interface KubeconfigJson {
  readonly users: readonly { readonly name: string; readonly user: Readonly<Record<string, unknown>> }[];
}

describe('faults of deploy', () => {
  let cluster: Cluster;
  let scene: Scene;
  onCluster(`bdf-${process.pid}`, (...given) => {
    [cluster, scene] = given;
  });

  const deploy = (inputs: Readonly<Record<string, string>> = {}, options: BundleOptions = {}): Promise<BundleRun> =>
    scene.deploy(inputs, { entry: ENTRY, ...options });
  const get = (namespace: string, what: string, path: string): Promise<string> =>
    cluster.must(['-n', namespace, 'get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  const writes = (from: AuditMark): readonly string[] => auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written;
  /** A ServiceAccount with these rights; its token. */
  const account = async (name: string, rules: readonly object[]): Promise<string> => {
    await cluster.must(['apply', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules }),
    });
    await cluster.must(['-n', 'default', 'create', 'serviceaccount', name]);
    await cluster.must(['create', 'clusterrolebinding', name, `--clusterrole=${name}`, `--serviceaccount=default:${name}`]);
    await untilBound(cluster, `default:${name}`, [name]);
    return cluster.must(['-n', 'default', 'create', 'token', name]);
  };

  it('explains every way in which pods do not come up, in one run, and proves the others', async () => {
    const probed =
      'healthcheck_mode: http, healthcheck_grace_period_seconds: 1, healthcheck_interval_seconds: 1, healthcheck_max_consecutive_failures: 3, healthcheck_timeout_seconds: 1';
    scene.write(
      'sick/kubernetes-lab.yaml',
      [
        `fine: ${worker()}`,
        `gone: ${worker()}`,
        `crash: ${worker()}`,
        `probe: ${worker(probed)}`,
        `huge: ${worker().replace('cpus: 0.1', 'cpus: 9000')}`,
        '',
      ].join('\n'),
    );
    // the image of the first version was there; that of the second is not
    scene.mark('sick', { prod: sha('0') });
    expect((await deploy({ service: 'sick', instance: 'gone' })).code).toBe(0);
    scene.mark('sick', { prod: sha('a') });
    cluster.setFakeRules([
      { pod: '^sick-gone-', behaviour: 'image-pull-error' },
      {
        pod: '^sick-crash-',
        behaviour: 'crash-loop',
        'exit-code': 3,
        log: 'this run',
        'previous-log': `first\nDATABASE_URL is not set\n::set-output name=changed::no\n\`\`\`\`\`\n<img src=x>\ntoken ${LEAKED}\n`,
      },
      { pod: '^sick-probe-', behaviour: 'never-ready' },
    ]);
    // a quota in a namespace that exists already
    scene.write('full/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('full', { prod: sha('a') });
    await cluster.must(['create', 'namespace', 'paastasvc-full']);
    await cluster.must(['-n', 'paastasvc-full', 'create', 'quota', 'small', '--hard=pods=1']);
    await until('the quota counts', async () =>
      (await cluster.must(['-n', 'paastasvc-full', 'get', 'resourcequota', 'small', '-o', 'jsonpath={.status.used.pods}'])).includes('0'),
    );

    const run = await deploy({ timeout: '70s' });
    expect(run.code).toBe(1);
    const results = JSON.parse(run.outputs['results'] ?? '') as Result[];
    expect(results.map((r) => [r.instance, r.state, r.failure?.code, r.failure?.in_commit])).toEqual([
      ['main', 'failed', 'QUOTA_EXCEEDED', false],
      ['crash', 'failed', 'CRASH_LOOP', true],
      ['fine', 'deployed', undefined, undefined],
      ['gone', 'failed', 'IMAGE_NOT_FOUND', true],
      ['huge', 'failed', 'UNSCHEDULABLE', false],
      ['probe', 'failed', 'PROBE_FAILING', true],
    ]);
    expect(results.map((r) => r.failure?.container ?? null)).toEqual([null, 'crash', null, 'gone', null, 'probe']);
    // outputs and summary are there although the run failed
    expect(run.outputs['changed']).toBe('true');
    expect(JSON.parse(run.outputs['summary'] ?? '')).toMatchObject({
      states: { deployed: 1, failed: 5 },
      failed: ['full.main', 'sick.crash', 'sick.gone', 'sick.huge', 'sick.probe'],
    });
    expect(run.summary).toContain('### paasta deploy to lab: failed: 5 of 6');
    expect(run.summary).toContain('| ✅ | sick.fine | `aaaaaaaa` | deployed, 2/2 ready');

    for (const [title, code, cause, next] of [
      [
        'full.main',
        'QUOTA_EXCEEDED',
        'The quota small of namespace paastasvc-full is exhausted: pods: requested 1, used 1 of 1.',
        'kubectl -n paastasvc-full describe resourcequota small',
      ],
      ['sick.crash', 'CRASH_LOOP', 'container crash ends with exit code 3', 'then fix the commit or deploy an older one.'],
      [
        'sick.gone',
        'IMAGE_NOT_FOUND',
        `The image registry.invalid/services-sick:paasta-${sha('a')} of container gone does not exist in the registry.`,
        'Check that itest and push-to-registry ran for this commit',
      ],
      ['sick.huge', 'UNSCHEDULABLE', 'Insufficient cpu', 'Ask for less (cpus, mem, pool, constraints in soa-configs) or add nodes'],
      [
        'sick.probe',
        'PROBE_FAILING',
        'container probe runs but its readiness probe (GET http://<pod>:8888/status) still fails',
        'Check that the service listens on that port and path',
      ],
    ] as const) {
      const [service, instance] = title.split('.') as [string, string];
      // the paragraph in the log, the annotation on the line of the instance, the summary
      const paragraph = run.text.slice(run.text.search(new RegExp(`^${service}\\.${instance}: ${code}$`, 'm')));
      expect(paragraph).toContain(`cause: `);
      expect(paragraph.slice(0, 1_500)).toContain(cause);
      expect(paragraph.slice(0, 1_500)).toContain(next);
      const line =
        readFileSync(join(scene.soaDir, service, 'kubernetes-lab.yaml'), 'utf8')
          .split('\n')
          .findIndex((text) => text.startsWith(`${instance}:`)) + 1;
      expect(run.text).toMatch(
        new RegExp(
          `^::error .*${code},file=soa-configs/${service}/kubernetes-lab\\.yaml,line=${String(line)}[,:].*${service}\\.${instance}: `,
          'm',
        ),
      );
      expect(run.summary).toContain(`#### ❌ ${title}: \`${code}\``);
    }
    // the old version goes on serving, and the report says so
    const meanwhile = (title: string): string | undefined => {
      const paragraph = run.text.slice(run.text.search(new RegExp(`^${title.replace('.', '\\.')}: [A-Z_]+$`, 'm')));
      return /^ {2}meanwhile: (.*)$/m.exec(paragraph.slice(0, paragraph.indexOf('  next: ')))?.[1];
    };
    expect(['full.main', 'sick.crash', 'sick.gone', 'sick.huge', 'sick.probe'].map(meanwhile)).toEqual([
      '1 pod of the wanted version is ready',
      'no pod of it is ready',
      '2 pods of version 00000000 are ready',
      'no pod of it is ready',
      'no pod of it is ready',
    ]);
    expect(run.summary).toContain('**Meanwhile:** 2 pods of version 00000000 are ready.');
    expect(
      await get(
        'paastasvc-sick',
        'pods -l paasta.yelp.com/instance=gone',
        '{range .items[?(@.status.phase=="Running")]}{.spec.containers[0].image} {end}',
      ),
    ).toBe(
      Array(2)
        .fill(`registry.invalid/services-sick:paasta-${sha('0')}`)
        .join(' '),
    );
    // the log of the container that crashed, made harmless wherever it is shown
    expect(run.text).toContain('    | DATABASE_URL is not set');
    expect(run.summary).toContain('DATABASE_URL is not set');
    expect(run.text).not.toMatch(/^\s*::set-output/m);
    expect(run.text + run.summary + JSON.stringify(run.outputs)).not.toContain(LEAKED);
    // a fence that the log cannot end
    expect(run.summary).toContain('``````text\nfirst\n');
  });

  it('asks the registry for the digest once per version; names an image that it does not have; the password is never printed', async () => {
    const digest = `sha256:${'d'.repeat(64)}`;
    const asked: string[] = [];
    const registry = http.createServer((request, response) => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (request.headers.authorization !== `Basic ${Buffer.from('ada:opensesame-1234').toString('base64')}`)
        response.writeHead(401, { 'www-authenticate': 'Basic realm="lab"' }).end();
      else if (request.url?.includes(sha('a')) === true)
        response
          .writeHead(200, {
            'docker-content-digest': digest,
            'content-type': 'application/vnd.oci.image.manifest.v1+json',
            'content-length': '2',
          })
          .end(request.method === 'HEAD' ? undefined : '{}');
      else response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    });
    await new Promise<void>((resolve) => {
      registry.listen(0, '127.0.0.1', resolve);
    });
    const host = `127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
    const inputs = { service: 'img', 'pin-digest': 'true', 'registry-username': 'ada', 'registry-password': 'opensesame-1234' };
    const quiet = (run: BundleRun): void => {
      const shown = (run.text + run.summary + JSON.stringify(run.outputs)).replace(/^::add-mask::.*$/gm, '');
      for (const secret of ['opensesame', Buffer.from('ada:opensesame-1234').toString('base64')]) expect(shown).not.toContain(secret);
    };
    try {
      scene.write('img/kubernetes-lab.yaml', `main: ${worker()}\n`);
      scene.mark('img', { prod: sha('a') });
      scene.system({ docker_registry: host });
      const first = await deploy(inputs);
      expect(first.text).toContain('✔ lab: proven (1 deployed)');
      quiet(first);
      expect(await get('paastasvc-img', 'deploy img-main', '{.spec.template.spec.containers[0].image}')).toBe(
        `${host}/services-img:paasta-${sha('a')}@${digest}`,
      );
      asked.length = 0;
      const second = await deploy(inputs);
      expect(second.outputs['changed']).toBe('false');
      expect(asked).toEqual([]);

      scene.mark('img', { prod: sha('b') });
      const from = auditMark(cluster.auditLogPath);
      const missing = await deploy(inputs);
      expect(missing.code).toBe(1);
      expect(missing.text).toMatch(
        new RegExp(
          `::error .*IMAGE_NOT_FOUND,file=soa-configs/img/kubernetes-lab\\.yaml,line=1.*img\\.main: image ${host}/services-img:paasta-${sha('b')} is not in the registry; deploy group prod is marked for it%0A  next: push it`,
        ),
      );
      expect(missing.outputs['results']).toContain('"state":"failed"');
      quiet(missing);
      registry.closeAllConnections();
      // The port stays ours: somebody else's registry could be there otherwise.
      registry.on('connection', (socket: Socket) => socket.destroy());
      const down = await deploy(inputs);
      expect(down.code).toBe(1);
      expect(down.text).toMatch(
        new RegExp(
          `::error .*REGISTRY_UNREACHABLE,file=soa-configs/img/kubernetes-lab\\.yaml,line=1.*img\\.main: the registry ${host} does not answer`,
        ),
      );
      expect(down.text).toMatch(/^img\.main: failed$/m);
      quiet(down);
      expect(writes(from)).toEqual([]);
    } finally {
      registry.closeAllConnections();
      registry.close();
    }
  });

  it("leaves PaaSTA's object of the same name alone, says adopt, and deploys the rest", async () => {
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
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'registry.invalid/services-old:paasta-0' }] } },
      },
    };
    await cluster.must(['create', '-f', '-'], { input: JSON.stringify(theirs) });
    const before = await get('paastasvc-old', 'deploy old-main', '{.metadata.generation} {.metadata.uid}');
    const run = await deploy({ service: 'old' });
    expect(run.code).toBe(1);
    expect(run.text).toMatch(
      /::error .*file=soa-configs\/old\/kubernetes-lab\.yaml,line=1,col=1::.*Deployment paastasvc-old\/old-main exists and was made by PaaSTA, not by us: it is left as it is%0A {2}next: .*adopt: true/,
    );
    expect(run.text).toMatch(/old\.other +aaaaaaaa +deployed, 2\/2 ready/);
    expect(run.summary).toContain('⛔');
    expect(JSON.parse(run.outputs['results'] ?? '')).toMatchObject([
      { instance: 'main', state: 'blocked' },
      { instance: 'other', state: 'deployed' },
    ]);
    expect(await get('paastasvc-old', 'deploy old-main', '{.metadata.generation} {.metadata.uid}')).toBe(before);
    expect(await get('paastasvc-old', 'deploy old-main', '{.metadata.labels.app\\.kubernetes\\.io/managed-by}')).toBe('');
  });

  it('names a namespace that is being deleted, and deploys the rest', async () => {
    scene.write('leaving/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.write('staying/kubernetes-lab.yaml', `main: ${worker()}\n`);
    for (const service of ['leaving', 'staying']) scene.mark(service, { prod: sha('a') });
    await cluster.must(['create', 'namespace', 'paastasvc-leaving']);
    await cluster.must(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'held', namespace: 'paastasvc-leaving', finalizers: ['example.com/held'] },
      }),
    });
    await cluster.must(['delete', 'namespace', 'paastasvc-leaving', '--wait=false']);
    const run = await deploy();
    expect(run.text).toMatch(
      /::error .*NAMESPACE_TERMINATING,file=soa-configs\/leaving\/kubernetes-lab\.yaml,line=1.*leaving\.main: namespace paastasvc-leaving is being deleted/,
    );
    expect(JSON.parse(run.outputs['results'] ?? '')).toMatchObject([
      { service: 'leaving', state: 'failed' },
      { service: 'staying', state: 'deployed' },
    ]);
    expect(run.code).toBe(1);
    await cluster.must(['-n', 'paastasvc-leaving', 'patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  });

  it('refuses a cluster that is not the one that is meant, and writes nothing', async () => {
    scene.write('here/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.write('here/kubernetes-elsewhere.yaml', `main: ${worker()}\n`);
    scene.mark('here', { prod: sha('a') });
    expect((await deploy({ service: 'here' })).code).toBe(0);
    const from = auditMark(cluster.auditLogPath);
    const byRecord = await deploy({ service: 'here', cluster: 'elsewhere' });
    expect(byRecord.text).toMatch(/::error .*WRONG_CLUSTER::https:\/\/\S+ \(context '[^']+'\) is cluster 'lab', not 'elsewhere'/);
    expect(byRecord.summary).toContain('WRONG_CLUSTER');
    expect(byRecord.code).toBe(1);
    scene.system({ kube_clusters: { lab: { identity: '00000000-0000-0000-0000-000000000000' } } });
    const byIdentity = await deploy({ service: 'here' });
    expect(byIdentity.text).toMatch(/WRONG_CLUSTER::.* is not cluster 'lab': its identity is [0-9a-f-]{36}, expected 0{8}-/);
    expect(byIdentity.code).toBe(1);
    expect(writes(from)).toEqual([]);
  });

  it('403 on one kind: named with the right that is missing, the other kinds go on, the token is never printed', async () => {
    scene.write('lim/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('lim', { prod: sha('a') });
    const token = await account('limited', [
      {
        apiGroups: ['', 'apps'],
        resources: ['namespaces', 'deployments', 'replicasets', 'pods', 'pods/log', 'events', 'services', 'configmaps'],
        verbs: ['*'],
      },
    ]);
    const run = await deploy({ service: 'lim', kubeconfig: cluster.kubeconfigFor(token) });
    expect(run.code).toBe(1);
    expect(run.text).toMatch(/::error .*CLUSTER_FORBIDDEN.*may not list poddisruptionbudgets\.policy at cluster scope/);
    expect(run.text).toContain("grant the verb 'list' on 'poddisruptionbudgets.policy'");
    expect(run.text.match(/^::error/gm)).toHaveLength(1);
    expect(run.text).toContain('lim.main: 2/2 ready');
    expect(await get('paastasvc-lim', 'deploy lim-main', '{.status.readyReplicas}')).toBe('2');
    expect((run.text + run.summary + JSON.stringify(run.outputs)).replace(/^::add-mask::.*$/gm, '')).not.toContain(token);
  });

  it('without the right to read events it explains less, but proves; without the right to watch pods it fails at once instead of waiting', async () => {
    scene.write('dim/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('dim', { prod: sha('a') });
    const most = {
      apiGroups: ['', 'apps', 'policy'],
      resources: ['namespaces', 'deployments', 'replicasets', 'pods/log', 'services', 'configmaps', 'poddisruptionbudgets'],
      verbs: ['*'],
    };
    const deaf = await account('deaf', [most, { apiGroups: [''], resources: ['pods'], verbs: ['*'] }]);
    const proven = await deploy({ service: 'dim', kubeconfig: cluster.kubeconfigFor(deaf) });
    expect(proven.text).toMatch(
      /::warning .*CLUSTER_FORBIDDEN::.*may not list events at cluster scope|::warning .*CLUSTER_FORBIDDEN::.*may not list events in namespace paastasvc-dim/,
    );
    expect(proven.text).toContain('✔ lab: proven (1 deployed)');
    expect(proven.code).toBe(0);

    const blind = await account('blind', [most, { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }]);
    scene.mark('dim', { prod: sha('b') });
    const unproven = await deploy({ service: 'dim', kubeconfig: cluster.kubeconfigFor(blind), timeout: '60s' });
    expect(unproven.text).toMatch(/::error .*CLUSTER_FORBIDDEN.*dim\.main: .*may not watch pods/);
    expect(JSON.parse(unproven.outputs['results'] ?? '')).toMatchObject([{ state: 'failed' }]);
    expect(unproven.code).toBe(1);
  });

  it('no right at all: says which, and ends', async () => {
    scene.write('none/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('none', { prod: sha('a') });
    const token = await account('nobody', []);
    const run = await deploy({ service: 'none', kubeconfig: cluster.kubeconfigFor(token) });
    expect(run.text).toMatch(/::error .*CLUSTER_FORBIDDEN::.*may not list deployments\.apps at cluster scope/);
    expect(run.code).toBe(1);
    const wrong = await deploy({ service: 'none', kubeconfig: cluster.kubeconfigFor('not-a-token-0123456789') });
    expect(wrong.text).toMatch(/::error .*CLUSTER_UNAUTHORIZED::.*does not accept the credentials of context/);
    expect(wrong.text.replace(/^::add-mask::.*$/gm, '')).not.toContain('not-a-token');
    expect(wrong.code).toBe(1);
  });

  it('survives an API server that restarts during a bounce, and says so', async () => {
    scene.write('rest/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('rest', { prod: sha('a') });
    expect((await deploy({ service: 'rest' })).code).toBe(0);
    scene.mark('rest', { prod: sha('b') });
    cluster.setFakeRules([{ image: `paasta-${sha('b')}`, 'ready-after-ms': 4_000 }]);
    const outage = async (): Promise<void> => {
      await cluster.stopApiServer();
      await new Promise((resolve) => {
        setTimeout(resolve, 1_500);
      });
      await cluster.startApiServer();
    };
    let restarted: Promise<void> | undefined;
    const run = await deploy(
      { service: 'rest' },
      {
        onText: (text) => {
          if (text.includes('0/2 ready')) restarted ??= outage();
        },
      },
    );
    await restarted;
    expect(restarted).toBeDefined();
    expect(run.text).toContain('connection to the API server lost, trying again');
    expect(run.text).toContain('connection to the API server is back');
    expect(run.text).toContain('✔ lab: proven (1 deployed)');
    expect(run.code).toBe(0);
  });

  it('a login plugin whose token ends during the wait is asked again', async () => {
    scene.write('exec/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('exec', { prod: sha('a') });
    const all = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
    const [first, second] = [await account('first', all), await account('second', all)];
    const [tokenFile, callsFile, plugin, file] = ['token', 'calls', 'plugin.sh', 'exec.kubeconfig'].map((name) =>
      join(scene.directory, name),
    ) as [string, string, string, string];
    writeFileSync(tokenFile, first);
    writeFileSync(
      plugin,
      `#!/bin/sh\necho call >> '${callsFile}'\nprintf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"%s"}}' "$(cat '${tokenFile}')" "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"\n`,
      { mode: 0o755 },
    );
    const config = JSON.parse(readFileSync(cluster.kubeconfigPath, 'utf8')) as KubeconfigJson;
    const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' } };
    writeFileSync(file, JSON.stringify({ ...config, users: config.users.map(({ name }) => ({ name, user })) }));
    cluster.setFakeRules([{ namespace: 'paastasvc-exec', 'ready-after-ms': 5_000 }]);
    let ended: Promise<unknown> | undefined;
    const run = await deploy(
      { service: 'exec', kubeconfig: file },
      {
        onText: (text) => {
          if (!text.includes('0/2 ready')) return;
          // the token ends with its ServiceAccount; the restart makes the watches come back with it
          ended ??= (async () => {
            writeFileSync(tokenFile, second);
            await cluster.must(['-n', 'default', 'delete', 'serviceaccount', 'first']);
            await cluster.restartApiServer();
          })();
        },
      },
    );
    await ended;
    expect(ended).toBeDefined();
    expect(run.text).toContain('✔ lab: proven (1 deployed)');
    expect(run.code).toBe(0);
    expect(readFileSync(callsFile, 'utf8').trim().split('\n').length).toBeGreaterThanOrEqual(2);
    for (const token of [first, second]) expect((run.text + run.summary).replace(/^::add-mask::.*$/gm, '')).not.toContain(token);
  });

  it('goes through a proxy, trusts the authority of the kubeconfig, and names a certificate that it cannot trust', async () => {
    scene.write('via/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('via', { prod: sha('a') });
    const proxy = await startProxy();
    try {
      const through = await deploy({ service: 'via' }, { env: { HTTPS_PROXY: proxy.url } });
      expect(through.text).toContain('✔ lab: proven (1 deployed)');
      expect(proxy.seen).toContain(`CONNECT ${new URL(cluster.server).host}`);
      proxy.seen.length = 0;
      expect((await deploy({ service: 'via' }, { env: { HTTPS_PROXY: proxy.url, NO_PROXY: '127.0.0.1' } })).code).toBe(0);
      expect(proxy.seen).toEqual([]);
    } finally {
      await proxy.stop();
    }
    const config = JSON.parse(readFileSync(cluster.kubeconfigPath, 'utf8')) as {
      clusters: { name: string; cluster: { server: string } }[];
    };
    const file = join(scene.directory, 'no-authority.kubeconfig');
    writeFileSync(
      file,
      JSON.stringify({ ...config, clusters: config.clusters.map((c) => ({ ...c, cluster: { server: c.cluster.server } })) }),
    );
    const distrusted = await deploy({ service: 'via', kubeconfig: file });
    expect(distrusted.text).toMatch(/::error .*CLUSTER_TLS::the TLS connection to https:\S+ \(context '[^']+'\) fails: .*certificate/);
    expect(distrusted.text).toContain('certificate-authority-data');
    expect(distrusted.code).toBe(1);
  });

  it('a login plugin that cannot log in is named', async () => {
    scene.write('exec/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('exec', { prod: sha('a') });
    const config = JSON.parse(readFileSync(cluster.kubeconfigPath, 'utf8')) as KubeconfigJson;
    const file = join(scene.directory, 'exec.kubeconfig');
    const login = (command: string, ...args: readonly string[]): void => {
      const user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command, args, interactiveMode: 'Never' } };
      writeFileSync(file, JSON.stringify({ ...config, users: config.users.map(({ name }) => ({ name, user })) }));
    };
    login('no-such-login-plugin');
    const run = await deploy({ service: 'exec', kubeconfig: file });
    expect(run.text).toMatch(/::error .*CLUSTER_CREDENTIALS::.*no-such-login-plugin/);
    expect(run.text).toContain('a login plugin (exec) of the kubeconfig must be installed');
    expect(run.code).toBe(1);

    login('sh', '-c', 'echo session expired >&2; exit 3');
    expect((await deploy({ service: 'exec', kubeconfig: file })).text).toMatch(/::error .*CLUSTER_CREDENTIALS::.*session expired/);
    // an answer in another form may be the token itself
    login('sh', '-c', 'echo s3cr3t-t0k3n');
    const garbled = await deploy({ service: 'exec', kubeconfig: file });
    expect(garbled.text).toContain('the login plugin did not answer with an ExecCredential in JSON');
    expect(garbled.text).not.toContain('s3cr3t');
    // one that asks a person would wait for ever
    const asked = join(scene.directory, 'asked');
    login('sh', '-c', `touch ${asked}; exec sleep 600`);
    const hangs = await deploy(
      { service: 'exec', kubeconfig: file },
      {
        onStart: (child) => {
          void until('the login plugin to be asked', () => existsSync(asked)).then(() => child.kill('SIGTERM'));
        },
      },
    );
    expect(hangs.code).toBe(130);
  });
});
