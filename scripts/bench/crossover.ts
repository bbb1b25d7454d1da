/** Requests lost while pods that really serve are replaced, under load: deploy's crossover, kubectl's rolling update of the same spec, argo-rollouts. */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/shared/contract/errors.ts';
import type { KubeObject } from '../../src/shared/objects/types.ts';
import { createScene, sha } from '../../test/support/deploy-scene.ts';
import { startEndpointProxy } from '../../test/support/endpoint-proxy.ts';
import { startLoad, type LoadResult } from '../../test/support/load.ts';
import {
  ensureDocker,
  ensureGo,
  ensureTool,
  moduleDirectory,
  pinnedVersion,
  startCluster,
  startRegistry,
  type Cluster,
} from '../../test/testbed/index.ts';
import { ROOT } from '../steps.ts';
import { timed } from './peers.ts';
import { seconds, sleep, type Bench } from './scene.ts';

const PODS = 4;
/** Requests a second: what two cores bear beside kubelet, API server and the pods. */
const RATE = 1_000;
/** A node's proxy learns late of an endpoint that goes; the load balancer of this bench as well. */
const LAG = 900;
const DRAIN = 3;
const SERVICE = 'web---main';
const NAMESPACE = 'paastasvc-web';

interface Bounced {
  readonly load: LoadResult;
  readonly bounces: number;
  readonly longest: number;
}

/** Bounces again and again until so many requests were sent, at least once. */
async function underLoad(
  cluster: Cluster,
  namespace: string,
  service: string,
  requests: number,
  bounce: (round: number) => Promise<void>,
): Promise<Bounced> {
  const proxy = await startEndpointProxy({
    kubectl: cluster.kubectlPath,
    kubeconfig: cluster.kubeconfigPath,
    namespace,
    service,
    lag: LAG,
  });
  try {
    await proxy.ready(PODS, 60_000);
    const load = startLoad({ port: proxy.port, rate: RATE, maxSeconds: 1_200, maxRequests: 10 * requests });
    await sleep(2_000);
    let bounces = 0;
    let longest = 0;
    do {
      const from = performance.now();
      await bounce(bounces++);
      longest = Math.max(longest, performance.now() - from);
    } while (load.sent() < requests);
    await sleep(LAG + 2_000);
    return { load: await load.stop(), bounces, longest };
  } finally {
    await proxy.stop();
  }
}

function text({ load, bounces, longest }: Bounced): string {
  const why = Object.entries(load.reasons)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 2)
    .map(([reason, n]) => `${String(n)} × ${reason}`)
    .join(', ');
  return `${load.lost.toLocaleString('en')} of ${load.sent.toLocaleString('en')} in ${String(bounces)} bounce${bounces === 1 ? '' : 's'} (longest ${seconds(longest)})${why === '' ? '' : `: ${why}`}`;
}

/** The workload or Service as somebody else would write it into a namespace of his own. */
function copyOf(live: KubeObject, namespace: string, change: (object: KubeObject) => KubeObject = (o) => o): KubeObject {
  const { clusterIP: _ip, clusterIPs: _ips, ...spec } = live.spec ?? {};
  return change({ apiVersion: live.apiVersion, kind: live.kind, metadata: { name: live.metadata.name, namespace }, spec });
}

export async function crossoverFigure(bench: Bench): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('pods that really serve need root');
  const name = 'bench-full';
  const requests = Math.ceil(100_000 * bench.scale);
  const docker = await ensureDocker({ name, log: () => undefined });
  const registry = await startRegistry({ name });
  const cluster = await startCluster({ name, size: 'full', registry });
  const scene = createScene(cluster);
  try {
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    await image(bench, docker, registry);
    scene.system({ docker_registry: `${registry.host}/team` });
    scene.write(
      'web/kubernetes-lab.yaml',
      `main: {cpus: 0.05, mem: 64, disk: 64, instances: ${String(PODS)}, deploy_group: prod, bounce_method: crossover, healthcheck_mode: http, healthcheck_uri: /status, healthcheck_grace_period_seconds: 1, healthcheck_interval_seconds: 1, lifecycle: {pre_stop_drain_seconds: ${String(DRAIN)}}}\n`,
    );
    scene.write('web/smartstack.yaml', 'main: {proxy_port: 20001}\n');
    const deployed = async (digit: string): Promise<string> => {
      scene.mark('web', { prod: sha(digit) });
      const run = await scene.deploy(
        { service: 'web', 'stability-window': '0s', timeout: '4m' },
        { entry: bench.entry, deadline: 300_000 },
      );
      if (run.code !== 0) throw new Error(`the bounce ended with exit ${String(run.code)}:\n${run.text.slice(-2_000)}`);
      return run.text;
    };
    await deployed('a');
    let proof = '';
    const ours = await underLoad(cluster, NAMESPACE, SERVICE, requests, async (round) => {
      proof = /drain proof: .*/.exec(await deployed(round % 2 === 0 ? 'b' : 'a'))?.[0] ?? '';
    });
    bench.report(
      `requests lost in crossover bounces of ${String(PODS)} pods under ${RATE.toLocaleString('en')} requests a second`,
      `${text(ours)}${proof === '' ? '' : `; ${proof}`}`,
      '0 of 100,000',
      ours.load.lost === 0 && ours.load.sent >= 100_000,
    );
    await beside(bench, cluster, Math.ceil(requests / 10));
  } finally {
    scene.remove();
    await cluster.stop();
    await registry.stop();
    await docker.stop();
  }
}

async function image(
  bench: Bench,
  docker: Awaited<ReturnType<typeof ensureDocker>>,
  registry: Awaited<ReturnType<typeof startRegistry>>,
): Promise<void> {
  const go = await ensureGo(bench.say);
  const context = join(bench.scratch, 'hello');
  mkdirSync(context, { recursive: true });
  for (const file of ['go.mod', 'main.go', 'Dockerfile']) copyFileSync(join(ROOT, 'examples', 'hello', file), join(context, file));
  const run = async (argv: readonly string[]): Promise<void> => {
    const ran = await timed(argv, { env: { ...docker.env, ...go.env, DOCKER_CONFIG: registry.dockerConfigDir, CGO_ENABLED: '0' } });
    if (ran.code !== 0) throw new Error(`${argv.slice(0, 3).join(' ')} ended with exit ${String(ran.code)}: ${ran.text.slice(-1_000)}`);
  };
  await run([go.goPath, '-C', context, 'build', '-trimpath', '-buildvcs=false', '-o', 'hello', '.']);
  const tags = ['a', 'b'].flatMap((digit) => ['--tag', `${registry.host}/team/services-web:paasta-${sha(digit)}`]);
  await run([docker.dockerPath, 'build', '--quiet', '--push', ...tags, context]);
}

/** The same pods, replaced by others' hands. */
async function beside(bench: Bench, cluster: Cluster, requests: number): Promise<void> {
  const read = async (what: string): Promise<KubeObject> =>
    JSON.parse(await cluster.must(['-n', NAMESPACE, 'get', what, '-o', 'json'])) as KubeObject;
  const [workload, service] = [await read('deployment/web-main'), await read(`service/${SERVICE}`)];
  // one set of pods at a time has room
  await cluster.must(['-n', NAMESPACE, 'scale', 'deployment/web-main', '--replicas=0']);
  const apply = (objects: readonly KubeObject[]): Promise<string> =>
    cluster.must(['apply', '--server-side', '-f', '-'], { input: objects.map((o) => JSON.stringify(o)).join('\n---\n') });
  const namespace = (of: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: of } });
  const template = (object: KubeObject, round: number): KubeObject => ({
    ...object,
    spec: {
      ...object.spec,
      template: {
        ...(object.spec?.['template'] as object),
        metadata: { ...(object.spec?.['template'] as { metadata: object }).metadata, annotations: { round: String(round) } },
      },
    },
  });

  const rolling = `kubectl's rolling update of the same spec, preStop sleep of ${String(DRAIN)} s`;
  try {
    const deployment = copyOf(workload, 'peer-kubectl');
    await apply([namespace('peer-kubectl'), copyOf(service, 'peer-kubectl'), template(deployment, -1)]);
    const status = (): Promise<string> =>
      cluster.must(['-n', 'peer-kubectl', 'rollout', 'status', 'deployment/web-main', '--timeout=240s']);
    await status();
    bench.beside(
      rolling,
      text(
        await underLoad(cluster, 'peer-kubectl', SERVICE, requests, async (round) => {
          await apply([template(deployment, round)]);
          await status();
        }),
      ),
    );
    await cluster.must(['-n', 'peer-kubectl', 'scale', 'deployment/web-main', '--replicas=0']);
  } catch (error) {
    bench.beside(rolling, `could not be measured: ${messageOf(error).slice(0, 400)}`);
  }

  const blueGreen = 'argo-rollouts, blue-green';
  let controller: ChildProcess | undefined;
  try {
    const program = await ensureTool('argo-rollouts', bench.say);
    await cluster.must([
      'apply',
      '--server-side',
      '-f',
      join(await moduleDirectory('argo-rollouts', bench.say), 'manifests', 'crds', 'rollout-crd.yaml'),
    ]);
    for (const crd of [
      'analysis-run-crd.yaml',
      'analysis-template-crd.yaml',
      'cluster-analysis-template-crd.yaml',
      'experiment-crd.yaml',
    ]) {
      await cluster.must([
        'apply',
        '--server-side',
        '-f',
        join(await moduleDirectory('argo-rollouts', bench.say), 'manifests', 'crds', crd),
      ]);
    }
    await apply([namespace('argo-rollouts')]);
    controller = spawn(
      program,
      [
        '--kubeconfig',
        cluster.kubeconfigPath,
        '--namespace',
        'argo-rollouts',
        '--leader-elect=false',
        '--metricsport=38090',
        '--healthzPort=38080',
      ],
      { stdio: 'ignore' },
    );
    const rollout = copyOf(workload, 'peer-argo', (object) => ({
      ...object,
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Rollout',
      spec: {
        replicas: PODS,
        selector: object.spec?.['selector'],
        template: object.spec?.['template'],
        strategy: { blueGreen: { activeService: SERVICE, autoPromotionEnabled: true } },
      },
    }));
    await cluster.must(['wait', '--for=condition=Established', 'crd/rollouts.argoproj.io', '--timeout=60s']);
    await apply([namespace('peer-argo'), copyOf(service, 'peer-argo'), template(rollout, -1)]);
    const healthy = async (round: number): Promise<void> => {
      for (const end = Date.now() + 240_000; ;) {
        const { metadata, status } = JSON.parse(
          await cluster.must(['-n', 'peer-argo', 'get', 'rollout', 'web-main', '-o', 'json']),
        ) as KubeObject;
        if (
          status?.['phase'] === 'Healthy' &&
          status['observedGeneration'] === String(metadata.generation ?? 0) &&
          status['stableRS'] === status['currentPodHash']
        )
          return;
        if (Date.now() > end) throw new Error(`round ${String(round)} did not get healthy: ${JSON.stringify(status).slice(0, 300)}`);
        await sleep(250);
      }
    };
    await healthy(-1);
    bench.beside(
      `${blueGreen} (${pinnedVersion('argo-rollouts')})`,
      text(
        await underLoad(cluster, 'peer-argo', SERVICE, requests, async (round) => {
          await apply([template(rollout, round)]);
          await healthy(round);
        }),
      ),
    );
  } catch (error) {
    bench.beside(blueGreen, `could not be measured: ${messageOf(error).slice(0, 400)}`);
  } finally {
    controller?.kill('SIGKILL');
  }
}
