/** The peers: kubectl, helm and kapp with the very objects that deploy writes. One that cannot be built is named, not passed over. */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/shared/contract/errors.ts';
import { converge } from '../../src/shared/converge/index.ts';
import { openTree } from '../../src/shared/files/tree.ts';
import type { KubeObject } from '../../src/shared/objects/types.ts';
import { allSteps, type Plan } from '../../src/shared/plan/index.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { loadSoaConfigs, loadSystemConfig } from '../../src/shared/soa-configs/index.ts';
import { recordingLog } from '../../test/support/recording.ts';
import { ensureBinaries, ensureTool, pinnedVersion } from '../../test/testbed/index.ts';
import { fakeCluster } from '../../test/unit/converge/fake-cluster.ts';
import { CLUSTER, type Bench, type Tree } from './scene.ts';

/** What a first deploy of a tree writes, in its order: planned against a cluster in which there is nothing. */
export async function objectsOf(tree: Tree): Promise<readonly KubeObject[]> {
  const system = loadSystemConfig(openTree(tree.systemConfigDir));
  let planned: Plan | undefined;
  const sha = 'a'.repeat(40);
  await converge(
    {
      selection: { cluster: CLUSTER, service: undefined, instances: [], deployGroup: undefined },
      mode: 'plan',
      adopt: false,
      timeout: 1_000,
      soa: loadSoaConfigs(openTree(tree.soaDir), system, {}),
      system,
      options: { pinDigest: false, preStop: 'native' },
      onPlan: (plan) => {
        planned = plan;
      },
    },
    {
      cluster: fakeCluster([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system', uid: 'none' } }]),
      digests: undefined,
      log: recordingLog(),
      clock: systemClock,
      signal: new AbortController().signal,
      versions: {
        deployments: async (service) => ({
          service,
          source: 'bench',
          problems: [],
          version: () => ({ dockerImage: `services-${service}:paasta-${sha}`, sha, imageVersion: null }),
          control: () => ({ desiredState: 'start', forceBounce: null }),
        }),
      },
    },
  );
  if (planned === undefined) throw new Error('there was no plan');
  const objects = allSteps(planned).map((step) => step.object);
  return [...objects.filter((o) => o.kind === 'Namespace'), ...objects.filter((o) => o.kind !== 'Namespace')];
}

export interface PeerRun {
  readonly code: number | null;
  readonly milliseconds: number;
  readonly began: number;
  readonly text: string;
}

/** A process to its end, or until its time is over. */
export async function timed(
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly limit?: number } = {},
): Promise<PeerRun> {
  const [file = '', ...args] = argv;
  const began = Date.now();
  const from = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text = (text + chunk).slice(-20_000);
      });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
    }, options.limit ?? 300_000);
    child.on('error', reject).on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, milliseconds: performance.now() - from, began, text });
    });
  });
}

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Its user agent. */
  readonly agent: RegExp;
  /** Applies the objects under a name; again with the same name changes nothing. Does not wait for pods. */
  apply(kubeconfig: string, name: string, objects: readonly KubeObject[], limit?: number): Promise<PeerRun>;
}

export interface Peers {
  readonly found: readonly Peer[];
  /** `name: why` of those that are not to be had. */
  readonly missing: readonly string[];
}

function asYaml(objects: readonly KubeObject[]): string {
  return objects.map((o) => `---\n${JSON.stringify(o)}\n`).join('');
}

/** Builds what is missing. */
export async function ensurePeers(bench: Bench): Promise<Peers> {
  const found: Peer[] = [];
  const missing: string[] = [];
  const attempt = async (name: string, build: () => Promise<Peer>): Promise<void> => {
    try {
      found.push(await build());
    } catch (error) {
      missing.push(`${name}: ${messageOf(error).split('\n')[0] ?? ''}`);
    }
  };
  const fileFor = (name: string, objects: readonly KubeObject[]): string => {
    const path = join(bench.scratch, `${name}.yaml`);
    writeFileSync(path, asYaml(objects));
    return path;
  };
  await attempt('kubectl', async () => {
    const { kubectl } = await ensureBinaries(bench.say);
    const version = /v(\d[\w.]*)/.exec((await timed([kubectl, 'version', '--client'])).text)?.[1] ?? '?';
    return {
      name: 'kubectl apply --server-side',
      version,
      agent: /^kubectl/,
      // the fields are ours already where deploy wrote them: under our name nothing changes, as for one who always used kubectl
      apply: (kubeconfig, name, objects, limit) =>
        timed(
          [
            kubectl,
            '--kubeconfig',
            kubeconfig,
            'apply',
            '--server-side',
            '--field-manager=paasta',
            '-f',
            fileFor(`kubectl-${name}`, objects),
          ],
          limit === undefined ? {} : { limit },
        ),
    };
  });
  await attempt('helm', async () => {
    const helm = await ensureTool('helm', bench.say);
    return {
      name: 'helm upgrade --install',
      version: pinnedVersion('helm'),
      agent: /^Helm/,
      apply: (kubeconfig, name, objects, limit) => {
        const home = join(bench.scratch, 'helm');
        const chart = join(home, `chart-${name}`);
        rmSync(chart, { recursive: true, force: true });
        mkdirSync(join(chart, 'templates'), { recursive: true });
        writeFileSync(join(chart, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`);
        writeFileSync(join(chart, 'templates', 'all.yaml'), asYaml(objects));
        return timed([helm, 'upgrade', '--install', name, chart, '--namespace', 'default', '--kubeconfig', kubeconfig], {
          env: { HELM_CACHE_HOME: home, HELM_CONFIG_HOME: home, HELM_DATA_HOME: home },
          ...(limit === undefined ? {} : { limit }),
        });
      },
    };
  });
  await attempt('kapp', async () => {
    const kapp = await ensureTool('kapp', bench.say);
    return {
      name: 'kapp deploy --wait=false',
      version: pinnedVersion('kapp'),
      agent: /^kapp/,
      apply: (kubeconfig, name, objects, limit) =>
        timed(
          [
            kapp,
            'deploy',
            '--kubeconfig',
            kubeconfig,
            '-a',
            name,
            '-n',
            'default',
            '-f',
            fileFor(`kapp-${name}`, objects),
            '--yes',
            '--wait=false',
          ],
          limit === undefined ? {} : { limit },
        ),
    };
  });
  return { found, missing };
}

/** `1.2 s`, or what went wrong. */
export function peerText(run: PeerRun): string {
  return run.code === 0
    ? `${(run.milliseconds / 1_000).toFixed(2)} s`
    : run.code === null
      ? `not done after ${(run.milliseconds / 1_000).toFixed(0)} s`
      : `failed with exit ${String(run.code)} after ${(run.milliseconds / 1_000).toFixed(1)} s (${run.text.trim().split('\n').at(-1)?.slice(0, 120) ?? ''})`;
}
