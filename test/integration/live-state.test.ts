/**
 * What others do to our objects, against a real API server and its controllers: autoscalers, operators with kubectl, other managers,
 * people who take rights away. Deploy has the rights that docs/rbac.md names, and no others. After every repair the next run writes nothing, which the server's audit log counts.
 */
import http from 'node:http';
import https from 'node:https';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from 'js-yaml';
import type { KubeObject, Pod } from '../../src/shared/objects/types.ts';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import { leastRights, untilBound } from '../support/limited.ts';
import type { BundleOptions, BundleRun } from '../support/runner.ts';
import { auditCounts, auditEvents, auditMark, startCluster, type Cluster } from '../testbed/index.ts';

const SCALED = `{cpus: 0.1, mem: 64, disk: 64, min_instances: 2, max_instances: 9, deploy_group: prod, cmd: 'true'}`;

describe('live state', () => {
  let cluster: Cluster;
  let scene: Scene;
  let kubeconfigPath: string;
  const directory = mkdtempSync(join(tmpdir(), 'paasta-live-'));
  beforeAll(async () => {
    cluster = await startCluster({ name: `live-${process.pid}`, log: () => undefined });
    kubeconfigPath = await leastRights(cluster, directory, ['plan', 'apply', 'secrets']);
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => {
    scene = createScene({ kubeconfigPath });
    cluster.setFakeRules([]);
  });
  afterEach(() => {
    scene.remove();
  });

  const deploy = (service: string, inputs: Readonly<Record<string, string>> = {}, options: BundleOptions = {}): Promise<BundleRun> =>
    scene.deploy({ service, timeout: '5m', ...inputs }, options);
  const get = (namespace: string, what: string, path: string): Promise<string> =>
    cluster.must(['-n', namespace, 'get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  /** A run that must be good, and one after it that must write nothing. */
  async function settled(service: string, inputs: Readonly<Record<string, string>> = {}): Promise<BundleRun> {
    const run = await deploy(service, inputs);
    if (run.code !== 0) throw new Error(run.text);
    const from = auditMark(cluster.auditLogPath);
    const again = await deploy(service);
    expect(again.text).toContain('nothing to do');
    expect(again.outputs['changed']).toBe('false');
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    return run;
  }

  it('an autoscaled newcomer starts at max, a live 7 stays 7, stop removes the autoscaler, start brings it back', async () => {
    scene.write('scaled/kubernetes-lab.yaml', `main: ${SCALED}\n`);
    scene.mark('scaled', { prod: sha('a') });
    await settled('scaled');
    const replicas = (): Promise<string> => get('paastasvc-scaled', 'deploy scaled-main', '{.spec.replicas}');
    const autoscaler = (): Promise<string> =>
      get('paastasvc-scaled', 'hpa', '{range .items[*]}{.spec.minReplicas} {.spec.maxReplicas}{end}');
    expect([await replicas(), await autoscaler()]).toEqual(['9', '2 9']);

    // as an autoscaler does it, through the scale subresource
    await cluster.must(['-n', 'paastasvc-scaled', 'scale', 'deploy/scaled-main', '--replicas=7']);
    await settled('scaled');
    expect(await replicas()).toBe('7');
    scene.mark('scaled', { prod: sha('b') });
    const bounced = await settled('scaled');
    expect(bounced.text).toContain('new version aaaaaaaa → bbbbbbbb');
    expect(await replicas()).toBe('7');

    scene.mark('scaled', { prod: sha('b') }, ['lab.main']);
    const stopped = await settled('scaled');
    expect(stopped.text).toMatch(/scaled\.main +stop/);
    expect([await replicas(), await autoscaler()]).toEqual(['0', '']);

    scene.mark('scaled', { prod: sha('b') });
    const started = await settled('scaled');
    expect(started.text).toMatch(/scaled\.main +start/);
    expect(Number(await replicas())).toBeGreaterThanOrEqual(2);
    expect(await autoscaler()).toBe('2 9');

    // stopped, and started with another version: no pod of the version before is made on the way
    scene.mark('scaled', { prod: sha('b') }, ['lab.main']);
    await settled('scaled');
    scene.mark('scaled', { prod: sha('c') });
    const from = auditMark(cluster.auditLogPath);
    await settled('scaled');
    const managers = auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' })
      .written.map((line) => /deployments\/scaled-main\?.*fieldManager=([\w-]+)/.exec(line)?.[1])
      .filter((manager) => manager !== undefined);
    expect(managers.slice(0, 2)).toEqual(['paasta', 'paasta-scale']);
    const made = auditEvents(cluster.auditLogPath, from).filter(
      (event) =>
        event.verb === 'create' &&
        event.objectRef?.resource === 'pods' &&
        event.objectRef.subresource === undefined &&
        event.responseStatus?.code === 201 &&
        event.objectRef.namespace === 'paastasvc-scaled',
    ).length;
    expect(made).toBe(Number(await replicas()));
  });

  it('an autoscaler that scales between our reading and our write keeps its count', async () => {
    scene.write('racing/kubernetes-lab.yaml', `main: ${SCALED}\n`);
    scene.mark('racing', { prod: sha('a') });
    await settled('racing');
    scene.mark('racing', { prod: sha('b') });
    let scaled = false;
    const run = await behind('racing', async (request) => {
      if (scaled || request.method !== 'PATCH' || request.url?.includes('/deployments/racing-main?') !== true) return false;
      scaled = true;
      await cluster.must(['-n', 'paastasvc-racing', 'scale', 'deploy/racing-main', '--replicas=4']);
      return false;
    });
    expect(scaled).toBe(true);
    expect(run.text).toContain('bounces 9 pods');
    expect(run.text).toMatch(/racing\.main +bbbbbbbb +deployed, 4\/4 ready/);
    expect(run.code).toBe(0);
    expect(await get('paastasvc-racing', 'deploy racing-main', '{.spec.replicas}')).toBe('4');
    await settled('racing');
    expect(await get('paastasvc-racing', 'deploy racing-main', '{.spec.replicas}')).toBe('4');
  });

  it('a selector that cannot be changed, and a run that is killed: said before the first write, then replaced, finished by the next run', async () => {
    const whole = { kubeconfig: await leastRights(cluster, directory, ['plan', 'apply', 'side-by-side']) };
    scene.write('fixed/kubernetes-lab.yaml', `main: ${worker('bounce_margin_factor: 1')}\n`);
    scene.mark('fixed', { prod: sha('a') });
    await settled('fixed');
    const live = JSON.parse(await cluster.must(['-n', 'paastasvc-fixed', 'get', 'deploy', 'fixed-main', '-o', 'json'])) as KubeObject & {
      spec: { selector: { matchLabels: Record<string, string> }; template: { metadata: { labels: Record<string, string> } } };
    };
    const { name, namespace, labels, annotations } = live.metadata;
    for (const map of [live.spec.selector.matchLabels, live.spec.template.metadata.labels]) map['made'] = 'by-hand';
    await cluster.must(['-n', 'paastasvc-fixed', 'delete', 'deploy', 'fixed-main', '--wait=true']);
    await cluster.must(['create', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: live.apiVersion,
        kind: live.kind,
        metadata: { name, namespace, labels, annotations },
        spec: live.spec,
      }),
    });
    await cluster.must(['-n', 'paastasvc-fixed', 'rollout', 'status', 'deploy/fixed-main', '--timeout=240s']);

    const from = auditMark(cluster.auditLogPath);
    const refused = await deploy('fixed');
    expect(refused.text).toMatch(/fixed\.main +update +.*side by side: spec\.selector cannot be changed in place/);
    expect(refused.text).toMatch(
      /fixed\.main: context '.*' on https:\S+ may not delete deployments\.apps in namespace paastasvc-fixed: nothing that needs it was written/,
    );
    expect(refused.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);

    // as a runner that is lost: no handler runs
    let child: { kill(signal: NodeJS.Signals): boolean } | undefined;
    const killed = await behind(
      'fixed',
      (request) => {
        if (request.method !== 'DELETE' || request.url?.includes('/deployments/fixed-main') !== true) return false;
        child?.kill('SIGKILL');
        return true;
      },
      undefined,
      {
        ...whole,
        onStart: (c) => {
          child = c;
        },
      },
    );
    expect(killed.signal).toBe('SIGKILL');
    expect(killed.text).toContain('fixed.main: drains');
    expect(killed.text).toMatch(
      /fixed\.main: creates Deployment paastasvc-fixed\/fixed-main-[0-9a-f]{8} beside Deployment paastasvc-fixed\/fixed-main/,
    );
    const serving = async (): Promise<number> =>
      (JSON.parse(await cluster.must(['-n', 'paastasvc-fixed', 'get', 'pods', '-o', 'json'])) as { items: Pod[] }).items.filter(
        (pod) => pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
      ).length;
    expect(await serving()).toBeGreaterThanOrEqual(2);
    const finished = await deploy('fixed', whole);
    expect(finished.text).toMatch(/fixed\.main: deleted Deployment paastasvc-fixed\/fixed-main$/m);
    expect(finished.text).toMatch(/fixed\.main +aaaaaaaa +deployed, 2\/2 ready/);
    expect(finished.code).toBe(0);
    expect(await get('paastasvc-fixed', 'deploy', '{.items[*].metadata.name}')).toMatch(/^fixed-main-[0-9a-f]{8}$/);
    expect((await deploy('fixed', whole)).text).toContain('nothing to do');
  });

  it('rate-limit: one run changes so many instances, says what is left, and the next one goes on with it', async () => {
    scene.write('slowly/kubernetes-lab.yaml', ['a', 'b', 'c'].map((name) => `${name}: ${worker()}\n`).join(''));
    scene.mark('slowly', { prod: sha('a') });
    await settled('slowly');
    scene.mark('slowly', { prod: sha('b') });
    for (const left of [2, 1, 0]) {
      const run = await deploy('slowly', { 'rate-limit': '1' });
      expect([
        left,
        run.text.split('\n').filter((line) => /^slowly\.\w +bbbbbbbb +left for the next pass \(rate limit\)$/.test(line)).length,
        run.code,
      ]).toEqual([left, left, 0]);
      expect(run.text).toMatch(/slowly\.[abc] +bbbbbbbb +deployed, 2\/2 ready/);
    }
    await settled('slowly');
  });

  it('sees and repairs what is edited by hand, on every kind', async () => {
    scene.write(
      'hand/kubernetes-lab.yaml',
      [
        `main: ${SCALED.replace(/}$/, ', iam_role: "arn:aws:iam::1:role/hand", service_account_name: null}').replace(', service_account_name: null', '')}`,
        `data: {cpus: 0.1, mem: 64, disk: 64, instances: 1, deploy_group: prod, cmd: 'true', persistent_volumes: [{container_path: /data, size: 1, mode: RW}]}`,
        '',
      ].join('\n'),
    );
    scene.write('hand/smartstack.yaml', 'main: {proxy_port: 20003}\n');
    scene.mark('hand', { prod: sha('a') });
    // A StatefulSet's claim has no provisioner here: its pod never gets ready, which is not what this is about.
    await deploy('hand', { timeout: '20s' });
    const objects = (
      JSON.parse(
        await cluster.must([
          '-n',
          'paastasvc-hand',
          'get',
          'deploy,sts,svc,pdb,hpa,sa',
          '-l',
          'app.kubernetes.io/managed-by=paasta-actions',
          '-o',
          'json',
        ]),
      ) as { items: KubeObject[] }
    ).items;
    const names = objects.map((o) => `${o.kind} ${o.metadata.name}`).sort();
    expect([...new Set(names.map((name) => name.split(' ')[0]))].sort()).toEqual([
      'Deployment',
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
      'Service',
      'ServiceAccount',
      'StatefulSet',
    ]);
    const nameOf = (kind: string): string => objects.find((o) => o.kind === kind)?.metadata.name ?? '';
    const edits: readonly (readonly [kind: string, patch: object, path: string, value: string])[] = [
      ['Deployment', { spec: { minReadySeconds: 77 } }, '{.spec.minReadySeconds}', '77'],
      ['StatefulSet', { metadata: { labels: { 'paasta.yelp.com/pool': 'evil' } } }, '{.metadata.labels.paasta\\.yelp\\.com/pool}', 'evil'],
      ['Service', { spec: { selector: { evil: 'yes' } } }, '{.spec.selector.evil}', 'yes'],
      ['PodDisruptionBudget', { spec: { maxUnavailable: 5 } }, '{.spec.maxUnavailable}', '5'],
      ['HorizontalPodAutoscaler', { spec: { maxReplicas: 55 } }, '{.spec.maxReplicas}', '55'],
      [
        'ServiceAccount',
        { metadata: { annotations: { 'eks.amazonaws.com/role-arn': 'evil' } } },
        '{.metadata.annotations.eks\\.amazonaws\\.com/role-arn}',
        'evil',
      ],
    ];
    for (const [kind, patch] of edits)
      await cluster.must(['-n', 'paastasvc-hand', 'patch', kind.toLowerCase(), nameOf(kind), '--type=merge', '-p', JSON.stringify(patch)]);
    await cluster.must(['label', 'namespace', 'paastasvc-hand', '--overwrite', 'yelp.com/owner=evil']);

    const plan = await deploy('hand', { mode: 'plan' });
    for (const field of [
      'minReadySeconds',
      'labels.paasta.yelp.com/pool',
      'spec.maxUnavailable',
      'spec.maxReplicas',
      'eks.amazonaws.com/role-arn',
    ])
      expect([field, plan.text.includes(field)]).toEqual([field, true]);
    expect(plan.outputs['changed']).toBe('true');
    await deploy('hand', { timeout: '20s' });
    for (const [kind, , path, value] of edits)
      expect([kind, await get('paastasvc-hand', `${kind.toLowerCase()} ${nameOf(kind)}`, path)]).not.toEqual([kind, value]);
    expect(await get('default', 'namespace paastasvc-hand', '{.metadata.labels.yelp\\.com/owner}')).not.toBe('evil');
    const from = auditMark(cluster.auditLogPath);
    const again = await deploy('hand', { timeout: '20s' });
    expect(again.outputs['changed']).toBe('false');
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
  });

  it('another manager owns a field: it is named with the field and the input that takes it over; with adopt it is ours', async () => {
    scene.write('owned/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('owned', { prod: sha('a') });
    await settled('owned');
    const theirs = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'owned-main', namespace: 'paastasvc-owned' },
      spec: { maxUnavailable: 1 },
    };
    await cluster.must(['apply', '--server-side', '--force-conflicts', '--field-manager=budget-operator', '-f', '-'], {
      input: JSON.stringify(theirs),
    });
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy('owned');
    expect(run.text).toContain(
      'PodDisruptionBudget paastasvc-owned/owned-main: spec.maxUnavailable belongs to budget-operator, which gave it another value',
    );
    expect(run.text).toContain('stop budget-operator from setting it, or set adopt: true to take the field over');
    expect(run.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    await settled('owned', { adopt: 'true' });
    expect(await get('paastasvc-owned', 'pdb owned-main', '{.spec.maxUnavailable}')).not.toBe('1');
  });

  it('a secret that is missing in the cluster is named before anything bounces; the old version serves; a changed signature bounces', async () => {
    scene.write('secretive/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('secretive', { prod: sha('a') });
    await settled('secretive');
    scene.write('secretive/kubernetes-lab.yaml', `main: ${worker('env: {DB: SECRET(db_password)}')}\n`);
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy('secretive');
    expect(run.text).toMatch(
      /::error .*SECRET_MISSING,file=soa-configs\/secretive\/kubernetes-lab\.yaml,line=1.*secretive\.main needs Secret paastasvc-secretive-secret-secretive-db--password \(variable DB\) in namespace paastasvc-secretive, but it is not there: nothing is bounced%0A {2}next: sync the secrets to the cluster/,
    );
    expect(run.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    expect(await get('paastasvc-secretive', 'deploy secretive-main', '{.status.readyReplicas}')).toBe('2');

    const name = 'paastasvc-secretive-secret-secretive-db--password';
    await cluster.must(['-n', 'paastasvc-secretive', 'create', 'secret', 'generic', name, '--from-literal=db_password=x']);
    await cluster.must(['-n', 'paastasvc-secretive', 'create', 'configmap', `${name}-signature`, '--from-literal=signature=one']);
    await settled('secretive');
    await cluster.must([
      '-n',
      'paastasvc-secretive',
      'patch',
      'configmap',
      `${name}-signature`,
      '--type=merge',
      '-p',
      '{"data":{"signature":"two"}}',
    ]);
    const rotated = await settled('secretive');
    expect(rotated.text).toContain('secrets changed: SECRET(db_password)');
    expect(rotated.text).toContain('bounces 2 pods');
  });

  it('temporary autoscaling bounds hold until they expire', async () => {
    scene.write('bounds/kubernetes-lab.yaml', `main: ${SCALED}\n`);
    scene.mark('bounds', { prod: sha('a') });
    await settled('bounds');
    const put = (value: object): Promise<string> =>
      cluster.must(['apply', '-f', '-'], {
        input: JSON.stringify({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: 'paasta-autoscaling-overrides', namespace: 'paasta' },
          data: { 'bounds.main': JSON.stringify(value) },
        }),
      });
    const bounds = (): Promise<string> => get('paastasvc-bounds', 'hpa bounds-main', '{.spec.minReplicas} {.spec.maxReplicas}');
    await put({ min_instances: 4, max_instances: 12, expire_after: Math.floor(Date.now() / 1_000) + 3_600 });
    expect((await settled('bounds')).text).toMatch(/bounds\.main: autoscaling bounds min 4 max 12 hold until .* \(paasta autoscale\)/);
    expect(await bounds()).toBe('4 12');
    await put({ min_instances: 4, max_instances: 12, expire_after: 1 });
    await settled('bounds');
    expect(await bounds()).toBe('2 9');
  });

  it('an instance that crashes after its proof is no success', async () => {
    scene.write('late/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('late', { prod: sha('a') });
    cluster.setFakeRules([{ namespace: 'paastasvc-late', 'flap-ms': 2_000 }]);
    const run = await deploy('late', { 'stability-window': '20s', timeout: '15s' });
    expect(run.text).toMatch(/late\.main: 2\/2 ready; must stay so for 20 s/);
    expect(run.text).toContain('late.main: not stable: it is not proven any more');
    expect(run.text).toMatch(/^late\.main: (?:TIMEOUT|PROBE_FAILING)$/m);
    expect(run.text).toContain('but not for 20 s');
    expect(run.code).toBe(1);
  });

  it('rights in namespaces only are enough: what may not be listed as a whole is listed there', async () => {
    scene.write('narrow/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('narrow', { prod: sha('a') });
    await settled('narrow');
    const all = [{ apiGroups: ['', 'apps', 'policy', 'autoscaling', 'events.k8s.io', 'discovery.k8s.io'], resources: ['*'], verbs: ['*'] }];
    const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'narrow' }, rules: all };
    const namespaces = {
      ...role,
      metadata: { name: 'narrow-cluster' },
      rules: [{ apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list'] }],
    };
    await cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [role, namespaces] }) });
    await cluster.must(['-n', 'default', 'create', 'serviceaccount', 'narrow']);
    await cluster.must(['create', 'clusterrolebinding', 'narrow', '--clusterrole=narrow-cluster', '--serviceaccount=default:narrow']);
    await cluster.must([
      '-n',
      'paastasvc-narrow',
      'create',
      'rolebinding',
      'narrow',
      '--clusterrole=narrow',
      '--serviceaccount=default:narrow',
    ]);
    await untilBound(cluster, 'default:narrow', ['narrow-cluster']);
    await untilBound(cluster, 'default:narrow', ['narrow'], 'paastasvc-narrow');
    const kubeconfig = cluster.kubeconfigFor(await cluster.must(['-n', 'default', 'create', 'token', 'narrow']));
    expect((await deploy('narrow', { kubeconfig })).text).toContain('nothing to do');
    scene.mark('narrow', { prod: sha('b') });
    const run = await deploy('narrow', { kubeconfig });
    expect(run.text).toContain('✔ lab: proven (1 deployed)');
    expect(run.code).toBe(0);
  });

  type Answer = (request: http.IncomingMessage, response: http.ServerResponse) => boolean | Promise<boolean>;

  /** A front before the API server: what it does not answer itself goes through. `onAnswer` gets the answers that go through. */
  async function behind(
    service: string,
    answers: Answer,
    onAnswer: (request: http.IncomingMessage, response: http.ServerResponse, close: () => void) => void = () => undefined,
    { kubeconfig = kubeconfigPath, ...options }: Pick<BundleOptions, 'onStart'> & { readonly kubeconfig?: string } = {},
  ): Promise<BundleRun> {
    const config = load(readFileSync(kubeconfig, 'utf8')) as { clusters: { name: string }[] };
    const target = new URL(cluster.server);
    const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });
    const pass = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
      if (await answers(request, response)) {
        request.resume();
        return;
      }
      const up = https.request(
        {
          agent,
          host: target.hostname,
          port: target.port,
          method: request.method,
          path: request.url,
          headers: { ...request.headers, host: target.host },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
          onAnswer(request, response, () => {
            response.destroy();
            answer.destroy();
          });
        },
      );
      up.on('error', () => {
        response.destroy();
      });
      request.pipe(up);
    };
    const front = http.createServer((request, response) => {
      void pass(request, response);
    });
    await new Promise<void>((resolve) => {
      front.listen(0, '127.0.0.1', resolve);
    });
    try {
      const file = join(scene.directory, 'front.kubeconfig');
      const server = `http://127.0.0.1:${String((front.address() as AddressInfo).port)}`;
      writeFileSync(file, JSON.stringify({ ...config, clusters: config.clusters.map(({ name }) => ({ name, cluster: { server } })) }));
      return await deploy(service, { kubeconfig: file }, options);
    } finally {
      front.closeAllConnections();
      front.close();
      agent.destroy();
    }
  }
  const status = (response: http.ServerResponse, code: number, reason: string, headers: http.OutgoingHttpHeaders = {}): true => {
    response
      .writeHead(code, { ...headers, 'content-type': 'application/json' })
      .end(JSON.stringify({ kind: 'Status', code, reason, message: reason }));
    return true;
  };

  it('429 for every third request and watches that are closed every two seconds: it takes longer, and is proven', async () => {
    scene.write('storm/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('storm', { prod: sha('a') });
    cluster.setFakeRules([{ namespace: 'paastasvc-storm', 'ready-after-ms': 7_000 }]);
    let [count, refused, closed] = [0, 0, 0];
    const isWatch = (request: http.IncomingMessage): boolean => request.url?.includes('watch=true') === true;
    const run = await behind(
      'storm',
      (request, response) => {
        if (isWatch(request) || ++count % 3 !== 0) return false;
        refused += 1;
        return status(response, 429, 'TooManyRequests', { 'retry-after': '1' });
      },
      (request, _, close) => {
        if (isWatch(request))
          setTimeout(() => {
            closed += 1;
            close();
          }, 2_000);
      },
    );
    expect(run.text).toContain('✔ lab: proven (1 deployed)');
    expect(run.code).toBe(0);
    expect(refused).toBeGreaterThan(3);
    expect(closed).toBeGreaterThan(3);
  });

  it('a kind that the cluster does not know is named; the other kinds are written', async () => {
    scene.write('older/kubernetes-lab.yaml', `main: ${SCALED}\n`);
    scene.mark('older', { prod: sha('a') });
    const run = await behind(
      'older',
      (request, response) => request.url?.startsWith('/apis/autoscaling/') === true && status(response, 404, 'NotFound'),
    );
    expect(run.text).toMatch(
      /::error .*KIND_MISSING.*does not know horizontalpodautoscalers\.autoscaling \(404\)%0A {2}next: the cluster is too old for this kind, or its CustomResourceDefinition is not installed/,
    );
    expect(run.text).toContain('older.main: 9/9 ready');
    expect(run.code).toBe(1);
    expect(await get('paastasvc-older', 'deploy older-main', '{.status.readyReplicas}')).toBe('9');
  });

  it('what cannot be rendered, two instances under one name, a registration that smartstack.yaml does not have: named with their lines, the rest is deployed', async () => {
    scene.write(
      'input/kubernetes-lab.yaml',
      [
        `fine: ${worker()}`,
        `broken: ${worker().replace('cpus: 0.1', 'cpus: lots')}`,
        `a_b: ${worker()}`,
        `a--b: ${worker()}`,
        `lost: ${worker('registrations: [input.nowhere]')}`,
        '',
      ].join('\n'),
    );
    scene.write('input/smartstack.yaml', 'main: {proxy_port: 20004}\n');
    scene.mark('input', { prod: sha('a') });
    const run = await deploy('input');
    expect(run.text).toMatch(/::error .*file=soa-configs\/input\/kubernetes-lab\.yaml,line=2[,:].*input\.broken.*cpus.*lots/);
    expect(run.text).toMatch(
      /::error .*NAME_COLLISION,file=soa-configs\/input\/kubernetes-lab\.yaml,line=3.*input\.a_b and input\.a--b \(input\/kubernetes-lab\.yaml:4\) are both paastasvc-input\/input-a--b in Kubernetes: neither is deployed/,
    );
    expect(run.text).toMatch(
      /::warning .*UNKNOWN_REGISTRATION,file=soa-configs\/input\/kubernetes-lab\.yaml,line=5.*input\.lost registers as 'input\.nowhere'/,
    );
    expect(run.text).toMatch(/input\.fine +aaaaaaaa +deployed, 2\/2 ready/);
    expect(run.text).toMatch(/input\.lost +aaaaaaaa +deployed, 2\/2 ready/);
    expect(run.code).toBe(1);
    expect(await get('paastasvc-input', 'deploy', '{.items[*].metadata.name}')).toBe('input-fine input-lost');
  });

  it("another instance's object and a stranger's are left alone", async () => {
    scene.write('names/kubernetes-lab.yaml', `a_b: ${worker('namespace: shared')}\n`);
    scene.mark('names', { prod: sha('a') });
    await settled('names');
    // Another run, which sees another half of soa-configs: the same object for another instance.
    scene.write('names/kubernetes-lab.yaml', `a--b: ${worker('namespace: shared')}\n`);
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy('names', { adopt: 'true' });
    expect(run.text).toContain('Deployment shared/names-a--b, which names.a--b would be, belongs to names.a_b: it is left as it is');
    expect(run.code).toBe(1);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    await cluster.must(['-n', 'shared', 'create', 'deployment', 'names-c', '--image=registry.invalid/x']);
    scene.write('names/kubernetes-lab.yaml', `c: ${worker('namespace: shared')}\n`);
    const stranger = await deploy('names');
    expect(stranger.text).toContain('Deployment shared/names-c exists and was made by kubectl-create, not by us: it is left as it is');
    expect(stranger.code).toBe(1);
  });
});
