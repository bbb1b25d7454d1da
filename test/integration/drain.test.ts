/** Draining against a real API server and endpoint controller. The pods answer from this process, through the API server's proxy. */
import http from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { readDrainMethod } from '../../src/shared/bounce/index.ts';
import { draining, type Draining } from '../../src/shared/converge/drain.ts';
import { connectCluster, type Cluster as Door } from '../../src/shared/kubernetes/index.ts';
import { KINDS, type Pod } from '../../src/shared/objects/types.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import type { RenderedInstance } from '../../src/shared/workload/index.ts';
import { createScene, sha } from '../support/deploy-scene.ts';
import { limitedKubeconfig } from '../support/limited.ts';
import { recordingLog } from '../support/recording.ts';
import { until } from '../support/until.ts';
import { startCluster, type Cluster } from '../testbed/index.ts';

const NAME = `drn-${process.pid}`;
const NAMESPACE = 'paastasvc-shop';
const LABEL = 'registrations.paasta.yelp.com/shop.main';
const host = (): string => {
  const found = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find((a) => a.family === 'IPv4' && !a.internal);
  if (found === undefined) throw new Error('this machine has no address but loopback: the API server passes nothing on to those');
  return found.address;
};

type Answer = (request: { method: string; url: string; body: string }) => { status: number; body: string };

describe('draining', () => {
  let cluster: Cluster;
  let door: Door;
  let server: http.Server;
  let port: number;
  const asked: string[] = [];
  let answer: Answer = () => ({ status: 200, body: '' });
  const abort = new AbortController();
  const connect = (path: string): Promise<Door> =>
    connectCluster({
      kubeconfig: { kind: 'file', path },
      userAgent: 'drain-test',
      log: recordingLog(),
      mask: () => undefined,
      clock: systemClock,
      signal: abort.signal,
      env: {},
    });

  beforeAll(async () => {
    cluster = await startCluster({ name: NAME, log: () => undefined });
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    await cluster.must(['create', 'namespace', NAMESPACE]);
    await cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'by-hand' } }) });
    door = await connect(cluster.kubeconfigPath);
    server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        asked.push(`${request.method ?? ''} ${request.url ?? ''}${body === '' ? '' : ` ${body}`}`);
        const { status, body: text } = answer({ method: request.method ?? '', url: request.url ?? '', body });
        response.writeHead(status).end(text);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, host(), resolve);
    });
    port = (server.address() as AddressInfo).port;
    await cluster.must(['-n', NAMESPACE, 'apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'shop---main' },
        spec: { selector: { [LABEL]: 'true' }, ports: [{ port: 8888 }] },
      }),
    });
  });
  afterAll(async () => {
    abort.abort();
    await door.close();
    server.closeAllConnections();
    server.close();
    await cluster.stop();
  });
  beforeEach(() => {
    asked.length = 0;
    answer = () => ({ status: 200, body: '' });
  });

  /** A pod of a node without a kubelet whose address is that of this process. */
  async function pod(name: string, containers = ['main'], ip = host()): Promise<Pod> {
    await cluster.must(['-n', NAMESPACE, 'apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { [LABEL]: 'true', app: 'shop' } },
        spec: { nodeName: 'by-hand', containers: containers.map((c) => ({ name: c, image: 'x' })) },
      }),
    });
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] };
    await cluster.must(['-n', NAMESPACE, 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]);
    return (await door.get(KINDS.Pod, NAMESPACE, name)) as Pod;
  }
  const inSlice = async (): Promise<string[]> => {
    const { items } = await door.list(KINDS.EndpointSlice, { namespace: NAMESPACE });
    return items
      .flatMap((slice) => (slice['endpoints'] as { targetRef?: { name?: string }; conditions?: { ready?: boolean } }[] | null) ?? [])
      .filter((e) => e.conditions?.ready === true)
      .map((e) => e.targetRef?.name ?? '')
      .sort();
  };
  const over = (cluster: Door): Draining =>
    draining({
      cluster,
      versions: { deployments: () => Promise.reject(new Error('not asked')) },
      digests: undefined,
      log: recordingLog(),
      clock: systemClock,
      signal: abort.signal,
    });
  const rendered = (method: string, params: object): RenderedInstance => {
    const read = readDrainMethod(method, params as never, true);
    if (read.faults.length > 0) throw new Error(JSON.stringify(read.faults));
    return {
      service: 'shop',
      instance: 'main',
      drain: { method: read.method, port, registrations: ['shop.main'] },
    } as unknown as RenderedInstance;
  };
  const http4 = (): object =>
    Object.fromEntries(
      [
        ['drain', 'POST'],
        ['stop_draining', 'POST'],
        ['is_draining', 'GET'],
        ['is_safe_to_kill', 'GET'],
      ].map(([call, method]) => [
        call,
        { url_format: `http://{host}:{port}/${call ?? ''}?of={nerve_ns}`, method, success_codes: '200-299' },
      ]),
    );

  it('takes a pod out of its EndpointSlice by its labels, drains it over HTTP, and puts it back', async () => {
    const [a] = [await pod('a'), await pod('b', ['main'], '10.9.9.9')];
    await until('the EndpointSlice', async () => (await inSlice()).length === 2);
    let isDraining = false;
    let idle = 0;
    answer = ({ url }) => {
      if (url.startsWith('/drain')) isDraining = true;
      if (url.startsWith('/stop_draining')) isDraining = false;
      return {
        status: url.startsWith('/is_draining') && !isDraining ? 404 : url.startsWith('/is_safe') && ++idle < 2 ? 503 : 200,
        body: '',
      };
    };
    expect(await over(door).drain(rendered('http', http4()), [a], abort.signal)).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(await inSlice()).toEqual(['b']);
    expect(asked).toEqual([
      'GET /is_draining?of=shop.main',
      'POST /drain?of=shop.main',
      'GET /is_safe_to_kill?of=shop.main',
      'GET /is_safe_to_kill?of=shop.main',
    ]);
    const drained = (await door.get(KINDS.Pod, NAMESPACE, 'a')) as Pod;
    expect(drained.metadata.labels).toEqual({ app: 'shop' });

    asked.length = 0;
    expect(await over(door).putBack(rendered('http', http4()), [drained], abort.signal)).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(asked).toEqual(['GET /is_draining?of=shop.main', 'POST /stop_draining?of=shop.main']);
    expect(await inSlice()).toEqual(['a', 'b']);
    expect(((await door.get(KINDS.Pod, NAMESPACE, 'a')) as Pod).metadata).toMatchObject({ labels: { app: 'shop', [LABEL]: 'true' } });
  });

  it('marks a pod down in hacheck, with the form that hacheck reads', async () => {
    const a = await pod('h', ['main', 'hacheck']);
    let since = 0;
    answer = ({ method }) => {
      if (method === 'POST') since = Date.now() / 1_000 - 60;
      return method === 'POST' || since === 0
        ? { status: 200, body: '' }
        : {
            status: 503,
            body: `Service shop.main in down state since ${since.toFixed(3)} until ${(since + 100).toFixed(3)}: Drained by Paasta`,
          };
    };
    expect(await over(door).drain(rendered('hacheck', { delay: 30, hacheck_port: port }), [a], abort.signal)).toEqual([
      { pod: 'h', left: true, safe: true },
    ]);
    expect(asked.map((line) => line.replace(/expiration=[0-9.]+/, 'expiration=TIME'))).toEqual([
      `GET /spool/shop.main/${port}/status`,
      `POST /spool/shop.main/${port}/status status=down&expiration=TIME&reason=Drained+by+Paasta`,
      `GET /spool/shop.main/${port}/status`,
    ]);
  });

  it('tells apart what the pod says, what the API server says, and a pod that is not there', async () => {
    await pod('p');
    const ask = (name: string, more: object = {}): Promise<unknown> =>
      door.podRequest(NAMESPACE, name, { scheme: 'http', port, path: '/x', method: 'GET', ...more }, abort.signal);
    answer = () => ({ status: 503, body: 'busy' });
    expect(await ask('p')).toEqual({ status: 503, body: 'busy' });
    expect(await ask('p', { port: 1 })).toEqual({ status: undefined, body: expect.stringMatching(/connection refused/) as string });
    await expect(ask('nobody')).rejects.toMatchObject({ status: 404 });
    // A path that climbs out of the pod would reach the API with the rights of the run.
    answer = () => ({ status: 200, body: 'pod' });
    asked.length = 0;
    for (const path of ['/../../../../secrets', '/%2e%2e/%2e%2e/secrets', '/..\\..\\secrets?a=1#b'])
      expect(await ask('p', { path })).toEqual({ status: 200, body: 'pod' });
    expect(asked).toEqual(['GET /secrets', 'GET /secrets', 'GET /secrets?a=1']);
  });

  it('names the right that is missing for asking pods', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'paasta-drain-'));
    await cluster.must(['apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'drain-less' },
        rules: [
          { apiGroups: [''], resources: ['pods', 'services'], verbs: ['get', 'list', 'patch'] },
          { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
        ],
      }),
    });
    const less = await connect(await limitedKubeconfig(cluster, directory, { namespace: NAMESPACE, name: 'less', roles: ['drain-less'] }));
    const p = await pod('r');
    await expect(over(less).drain(rendered('http', http4()), [p], abort.signal)).rejects.toThrow(
      /may not get pods\/proxy in namespace paastasvc-shop/,
    );
    await less.close();
    rmSync(directory, { recursive: true });
  });

  it('prints the proof after a bounce, and a warning on the line of an instance that does not wait', async () => {
    const scene = createScene(cluster);
    const instance = (seconds: number, name: string): string =>
      `{cpus: 0.1, mem: 64, disk: 64, instances: 2, deploy_group: prod, bounce_margin_factor: 1, registrations: [web.${name}], lifecycle: {pre_stop_drain_seconds: ${seconds}}}`;
    scene.write('web/kubernetes-lab.yaml', `patient: ${instance(8, 'patient')}\nhasty: ${instance(0, 'hasty')}\n`);
    scene.write('web/smartstack.yaml', 'patient: {proxy_port: 20001}\nhasty: {proxy_port: 20002}\n');
    scene.mark('web', { prod: sha('a') });
    const first = await scene.deploy({ service: 'web', 'stability-window': '0s' });
    expect(first.text).not.toContain('drain proof');
    scene.mark('web', { prod: sha('b') });
    const bounced = await scene.deploy({ service: 'web', 'stability-window': '0s' });
    expect(bounced.code).toBe(0);
    expect(bounced.text).toMatch(/web\.patient: drain proof: 2 pods left traffic at least \d+\.\d s before they ended/);
    expect(bounced.text).toMatch(/web\.hasty: drain proof: [12] pods? ended less than 1\.0 s after leaving traffic: web-hasty-/);
    expect(bounced.text).toMatch(/file=soa-configs\/web\/kubernetes-lab\.yaml,line=2.*DRAIN_TOO_SHORT|line=2.*drain proof/);
    const results = JSON.parse(bounced.outputs['results'] ?? '[]') as {
      instance: string;
      drain: { pods: number; minimum_seconds: number; violations: unknown[] };
    }[];
    expect(results.find((r) => r.instance === 'patient')?.drain).toMatchObject({ pods: 2, violations: [], ending: 0 });
    expect(bounced.summary).toMatch(/- web\.patient: drain proof: 2 pods/);
    scene.remove();
  });
});
