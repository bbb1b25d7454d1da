/**
 * The testbed as a library, for tests, demo and bench: real parts on loopback, each reused when it is there already,
 * what is missing brought into the user's cache. Every start has a name; the same name finds the same part again.
 */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Rule } from './fake/plan.ts';
import { credentialsOf } from './parts/api.ts';
import type { KubeconfigFile } from './parts/api.ts';
import { clusterDir, contextName, down, kubeconfigAsJson, startApiServer, stopApiServer, up } from './parts/cluster.ts';
import { checkContext, givenContext } from './parts/context.ts';
import { layout } from './parts/control-plane.ts';
import { downDocker, upDocker } from './parts/docker.ts';
import type { DockerEngine } from './parts/docker.ts';
import { downKind, kindInstalled, upKind, allowKindRegistry } from './parts/kind.ts';
import { hold, letGo } from './parts/keeper.ts';
import { addNodeRegistry } from './parts/node.ts';
import { partState, tidyState } from './parts/places.ts';
import { builtBinaries, ensureBinaries as ensureAll } from './parts/kubernetes-build.ts';
import type { Binaries } from './parts/kubernetes-build.ts';
import { ensureGoTool } from './parts/go-tools.ts';
import type { GoTool } from './parts/go-tools.ts';
import { ensure, fileOf } from './parts/programs.ts';
import type { ProgramId } from './parts/programs.ts';
import type { Size } from './parts/record.ts';
import { downRegistry, upRegistry } from './parts/registry.ts';
import type { RegistryRecord } from './parts/registry.ts';
import { run, which } from './parts/run.ts';
import type { Ran, RunOptions } from './parts/run.ts';
import { silent } from './parts/say.ts';
import type { Log } from './parts/say.ts';

export { auditCounts, auditEvents, auditMark, type AuditMark } from './parts/audit.ts';
export type { AuditCounts, AuditEvent, AuditFilter } from './parts/audit.ts';
export { ANNOTATION_PREFIX } from './fake/plan.ts';
export type { Rule as FakeRule } from './fake/plan.ts';
export type { Binaries } from './parts/kubernetes-build.ts';
export type { Size } from './parts/record.ts';
export { inPlainWords, TestbedError, terminal } from './parts/say.ts';
export type { Log } from './parts/say.ts';

/** Finds the Kubernetes binaries or builds them (minutes on the first run). */
export function ensureBinaries(log: Log = silent): Promise<Binaries> {
  return ensureAll(log);
}

/** Go 1.26 or later, brought when missing: its path and the environment in which `go` is found. */
export async function ensureGo(log: Log = silent): Promise<{ readonly goPath: string; readonly env: Readonly<Record<string, string>> }> {
  const goPath = fileOf(await ensure('go', log), 'go');
  return { goPath, env: { PATH: `${path.dirname(goPath)}:${process.env['PATH'] ?? ''}`, GOTOOLCHAIN: 'local' } };
}

export { moduleDirectory, pinnedVersion } from './parts/go-tools.ts';
export type { GoTool } from './parts/go-tools.ts';

/** act, actionlint or a peer of the bench, built from its Go module when it is missing: its path. */
export function ensureTool(tool: GoTool, log: Log = silent): Promise<string> {
  return ensureGoTool(tool, log);
}

/** Brings everything that a size needs, and starts nothing. */
export async function bringAll(size: Size, log: Log = silent): Promise<void> {
  await ensureAll(log);
  const programs: ProgramId[] = ['etcd', 'openssl', 'registry', 'git', 'make'];
  if (process.getuid?.() === 0) programs.push('docker', 'buildx', 'dockerd', 'containerd', 'runc', 'iproute');
  if (size === 'full') programs.push('cni');
  for (const program of programs) await ensure(program, log);
  for (const tool of ['actionlint', ...(size === 'full' ? ['act' as const] : [])] as const) await ensureGoTool(tool, log);
}

/** What every start is told. */
interface Start {
  readonly name: string;
  /** It stays when this process ends without a word; else it ends with it, however that ends. */
  readonly keep?: boolean;
  readonly log?: Log;
}

// ------------------------------------------------------------------ registry and docker
/** An image registry on loopback: plain HTTP, one user. */
export interface Registry extends RegistryRecord {
  stop(): Promise<void>;
}

/** Starts (or reuses) the registry of this name. */
export async function startRegistry(options: Start & { readonly port?: number }): Promise<Registry> {
  const { name, port, log = silent } = options;
  if (options.keep !== true) hold(name, 'registry');
  const record = await upRegistry({ name, ...(port !== undefined && { port }) }, log);
  return {
    ...record,
    stop: async () => {
      await downRegistry(name, log);
      letGo(name, 'registry');
    },
  };
}

export interface Docker extends DockerEngine {
  /** Leaves the engine: one that the testbed started ends with its last user. */
  stop(): Promise<void>;
}

/** A docker engine that answers, or one that is started (root). */
export async function ensureDocker(options: Start): Promise<Docker> {
  const { name, log = silent } = options;
  if (options.keep !== true) hold(name, 'docker');
  return {
    ...(await upDocker(name, log)),
    stop: async () => {
      await downDocker(name, log);
      letGo(name, 'docker');
    },
  };
}

// ------------------------------------------------------------------ Kubernetes
export interface ClusterStart extends Start {
  /** Default `control-plane`: no root, pods are played by fake nodes. `full`: real pods. */
  readonly size?: Size;
  /** Only for `control-plane`. Default 1. */
  readonly fakeNodes?: number;
  /** Registries whose images the nodes may pull without a secret in the pod. */
  readonly registry?: RegistryRecord;
  readonly extraApiserverArgs?: readonly string[];
  readonly extraControllerManagerArgs?: readonly string[];
}

export interface Cluster {
  readonly name: string;
  readonly size: Size;
  /** `testbed`: started here; `kind`: a kind cluster made here; `context`: the user's own, PAASTA_TESTBED_CONTEXT. */
  readonly from: 'testbed' | 'kind' | 'context';
  readonly kubeconfigPath: string;
  readonly context: string;
  readonly server: string;
  /** Empty when the cluster is the user's own. */
  readonly auditLogPath: string;
  readonly kubectlPath: string;
  /** Bearer token of an administrator; empty when the cluster is not the testbed's. */
  readonly adminToken: string;
  /** kubectl as the administrator; a failure is a result. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** kubectl that must succeed; its trimmed stdout. */
  must(args: readonly string[], options?: RunOptions): Promise<string>;
  /** A kubeconfig for a bearer token (of a ServiceAccount, say), next to the administrator's. */
  kubeconfigFor(token: string, user?: string): string;
  /** What fake pods do from now on (new pods only). */
  setFakeRules(rules: readonly Rule[]): void;
  addRegistry(registry: RegistryRecord): Promise<void>;
  /** Ends the API server as a crash does. */
  stopApiServer(signal?: NodeJS.Signals): Promise<void>;
  startApiServer(): Promise<void>;
  restartApiServer(): Promise<void>;
  stop(): Promise<void>;
}

interface Surroundings {
  readonly name: string;
  readonly size: Size;
  readonly from: Cluster['from'];
  readonly kubectlPath: string;
  readonly kubeconfigPath: string;
  readonly auditLogPath: string;
  readonly adminToken: string;
  readonly log: Log;
  readonly stop: () => Promise<void>;
  readonly addRegistry: (registry: RegistryRecord) => Promise<void>;
}

function clusterFrom(known: Surroundings): Cluster {
  const config = JSON.parse(fs.readFileSync(known.kubeconfigPath, 'utf8')) as KubeconfigFile;
  const context = config['current-context'],
    { server } = credentialsOf(config),
    { name, kubeconfigPath } = known;
  const own = (what: string): void => {
    if (known.from !== 'testbed') throw new Error(`${what}: only for the testbed's own cluster, this one is from ${known.from}`);
  };
  const kubectl: Cluster['kubectl'] = (args, options) =>
    run([known.kubectlPath, '--kubeconfig', kubeconfigPath, ...args], { ...options, env: { KUBECONFIG: undefined, ...options?.env } });
  return {
    name,
    size: known.size,
    from: known.from,
    kubeconfigPath,
    context,
    server,
    auditLogPath: known.auditLogPath,
    kubectlPath: known.kubectlPath,
    adminToken: known.adminToken,
    kubectl,
    async must(args, options) {
      const ran = await kubectl(args, options);
      if (ran.exitCode !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${ran.exitCode}: ${ran.stderr.trim()}`);
      return ran.stdout.trim();
    },
    kubeconfigFor(token, user = 'token') {
      const file = path.join(
        path.dirname(kubeconfigPath),
        `${user.replaceAll(/[^\w-]/g, '_')}-${randomBytes(3).toString('hex')}.kubeconfig`,
      );
      fs.writeFileSync(
        file,
        JSON.stringify({
          ...config,
          users: [{ name: user, user: { token } }],
          contexts: config.contexts.map((c) => ({ ...c, context: { ...c.context, user } })),
        }),
        { mode: 0o600 },
      );
      return file;
    },
    setFakeRules(rules) {
      own('setFakeRules');
      const file = layout(clusterDir(name)).rules;
      fs.writeFileSync(`${file}.new`, JSON.stringify(rules));
      fs.renameSync(`${file}.new`, file);
    },
    addRegistry: known.addRegistry,
    async stopApiServer(signal) {
      own('stopApiServer');
      await stopApiServer(name, signal);
    },
    async startApiServer() {
      own('startApiServer');
      await startApiServer(name);
    },
    async restartApiServer() {
      own('restartApiServer');
      await stopApiServer(name);
      await startApiServer(name);
    },
    stop: known.stop,
  };
}

interface NamedContext {
  readonly context: string;
  readonly server: string;
  readonly kubectlPath: string;
  /** Its kubeconfig as JSON. */ readonly text: string;
}

/** The context of PAASTA_TESTBED_CONTEXT, undefined when none is named. Throws `TestbedError` when tests may not use it: ask before anything is started. */
export async function namedContext(log: Log = silent): Promise<NamedContext | undefined> {
  const context = givenContext();
  if (context === undefined) return undefined;
  const kubectlPath = which('kubectl') ?? builtBinaries()?.kubectl ?? (await ensureAll(log)).kubectl;
  const text = await kubeconfigAsJson(kubectlPath, context);
  const { server } = credentialsOf(JSON.parse(text) as KubeconfigFile);
  checkContext(context, server);
  return { context, server, kubectlPath, text };
}

/** The cluster of the context that the user named, copied into a kubeconfig of the testbed's. */
function namedCluster({ context, server, kubectlPath, text }: NamedContext, options: ClusterStart, log: Log): Cluster {
  log(`using the cluster of context '${context}' (PAASTA_TESTBED_CONTEXT), ${server}: nothing is started`);
  const dir = partState(options.name, 'context'),
    kubeconfigPath = path.join(dir, 'admin.kubeconfig');
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(kubeconfigPath, text, { mode: 0o600 });
  return clusterFrom({
    name: options.name,
    size: 'full',
    from: 'context',
    kubectlPath,
    kubeconfigPath,
    auditLogPath: '',
    adminToken: '',
    log,
    stop: async () => {
      fs.rmSync(dir, { recursive: true, force: true });
      tidyState(options.name);
      return Promise.resolve();
    },
    addRegistry: async () => {
      log("the nodes of this cluster must know the registry's credential by themselves");
      return Promise.resolve();
    },
  });
}

/**
 * Starts (or reuses) the cluster of this name: the user's own when PAASTA_TESTBED_CONTEXT names one; for real pods kind
 * when it is installed; else our own binaries.
 */
export async function startCluster(options: ClusterStart): Promise<Cluster> {
  const { name, size = 'control-plane', registry, log = silent } = options;
  const given = await namedContext(log);
  if (given !== undefined) return namedCluster(given, options, log);
  if (options.keep !== true) hold(name, 'kubernetes');
  let cluster: Cluster;
  if (size === 'full' && (await kindInstalled(log))) {
    const made = await upKind(name, log);
    cluster = clusterFrom({
      ...made,
      name,
      size,
      from: 'kind',
      adminToken: '',
      log,
      stop: async () => {
        await downKind(name, log);
        letGo(name, 'kubernetes');
      },
      addRegistry: (r) => allowKindRegistry(name, r),
    });
  } else {
    const record = await up(
      {
        name,
        size,
        fakeNodes: size === 'full' ? 0 : (options.fakeNodes ?? 1),
        extraApiServerArgs: options.extraApiserverArgs ?? [],
        extraControllerManagerArgs: options.extraControllerManagerArgs ?? [],
      },
      log,
    );
    const at = layout(clusterDir(name));
    cluster = clusterFrom({
      name,
      size,
      from: 'testbed',
      kubectlPath: record.kubectl,
      kubeconfigPath: at.kubeconfig,
      auditLogPath: at.auditLog,
      adminToken: record.adminToken,
      log,
      stop: async () => {
        await down(name, log);
        letGo(name, 'kubernetes');
      },
      addRegistry: async (r) => {
        if (size === 'full') addNodeRegistry(at.dir, r);
        return Promise.resolve();
      },
    });
  }
  if (registry !== undefined) await cluster.addRegistry(registry);
  return cluster;
}

export { contextName };
