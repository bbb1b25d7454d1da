/** A Kubernetes on loopback, in two sizes from one start: control plane with fake nodes, or with kubelet and containerd. */
import fs from 'node:fs';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { Api, credentialsOf, readKubeconfig } from './api.ts';
import {
  AUDIT_POLICY,
  apiServerCommand,
  controllerManagerCommand,
  etcdCommand,
  layout,
  schedulerCommand,
  SERVICE_FIRST,
} from './control-plane.ts';
import type { Layout, Ports } from './control-plane.ts';
import { containerEnvironment, finishNode, launchContainerd, launchKubelet, nodePrograms } from './node.ts';
import type { NodePrograms } from './node.ts';
import { fullMark, makeBridge, makeCgroup, removeCgroup, removeTraces, restoreSettings, saveSettings, unmountBelow } from './host.ts';
import { ensureBinaries, wantedVersion } from './kubernetes-build.ts';
import type { Binaries } from './kubernetes-build.ts';
import { machineLock, withLock } from './lock.ts';
import { cgroupName, checkName, isRoot, makeStateRoot, partState, SOURCES, tidyState } from './places.ts';
import { freePorts, portOpen } from './ports.ts';
import { makePki, writeKubeconfig } from './pki.ts';
import { lastLines, launch, recordedNames, stop, waitFor } from './processes.ts';
import type { Launch } from './processes.ts';
import { ensure, fileOf } from './programs.ts';
import { isUp, promisedPorts, readRecord, writeRecord } from './record.ts';
import type { ClusterRecord, Size } from './record.ts';
import { run } from './run.ts';
import { seconds, sleep, step, TestbedError } from './say.ts';
import type { Log } from './say.ts';

export interface ClusterOptions {
  readonly name: string;
  readonly size: Size;
  readonly fakeNodes: number;
  readonly extraApiServerArgs: readonly string[];
  readonly extraControllerManagerArgs: readonly string[];
}

export const clusterDir = (name: string): string => partState(name, 'kubernetes');
/** The kubeconfig's context: never one that a person would have by chance. */
export const contextName = (name: string): string => `paasta-testbed-${name}`;
const lockOf = (name: string): string => path.join(makeStateRoot(), 'locks', name);
/** Two control planes that start at once on two busy cores take their time; what has ended is noticed at once. */
const PATIENCE_MS = 180_000;

async function defaultServiceAccount(api: Api): Promise<boolean> {
  return api.call('GET', '/api/v1/namespaces/default/serviceaccounts/default', undefined, '', 1).then(
    () => true,
    () => false,
  );
}

async function nodeReady(api: Api, node: string): Promise<boolean> {
  interface Node {
    status?: { conditions?: { type: string; status: string }[] };
  }
  return api.call<Node>('GET', `/api/v1/nodes/${node}`, undefined, '', 1).then(
    (n) => n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
    () => false,
  );
}

async function prepareFiles(at: Layout, record: ClusterRecord, openssl: string): Promise<void> {
  fs.writeFileSync(at.auditPolicy, AUDIT_POLICY);
  fs.writeFileSync(at.auditLog, '');
  fs.writeFileSync(at.rules, '[]\n');
  fs.writeFileSync(at.tokens, `${record.adminToken},testbed-token,testbed-token,"system:masters"\n`, { mode: 0o600 });
  await makePki(openssl, at.pki, { name: record.nodeName, ip: record.nodeIp }, SERVICE_FIRST);
  const server = `https://127.0.0.1:${record.ports.api}`,
    context = contextName(record.name);
  writeKubeconfig(at.kubeconfig, at.pki, { server, user: 'testbed-admin', certificate: 'admin', context });
  for (const [file, user, certificate] of [
    ['controller-manager', 'system:kube-controller-manager', 'controller-manager'],
    ['scheduler', 'system:kube-scheduler', 'scheduler'],
    ['fake-node', 'testbed-fake-node', 'fake-node'],
    ['node', `system:node:${record.nodeName}`, 'node'],
  ] as const) {
    writeKubeconfig(path.join(at.dir, `${file}.kubeconfig`), at.pki, { server, user, certificate, context });
  }
}

function fakeNodeLaunch(at: Layout, count: number): Launch {
  const pki = (file: string): string => path.join(at.pki, file);
  return {
    argv: [
      process.execPath,
      path.join(SOURCES, 'fake-node.ts'),
      '--kubeconfig',
      path.join(at.dir, 'fake-node.kubeconfig'),
      '--nodes',
      String(count),
      '--rules',
      at.rules,
      '--tls-cert',
      pki('node.crt'),
      '--tls-key',
      pki('node.key'),
      '--client-ca',
      pki('ca.crt'),
    ],
  };
}

interface ClusterPrograms {
  readonly bin: Binaries;
  readonly etcd: string;
  readonly openssl: string;
  readonly node?: NodePrograms;
}

/** Everything that a cluster of this size runs: found, built or brought. */
async function clusterPrograms(size: Size, log: Log): Promise<ClusterPrograms> {
  if (size === 'full' && !isRoot())
    throw new TestbedError(
      'a cluster with real pods needs root (containers, a bridge, cgroups)',
      'run as root, use --size control-plane, or name a kind cluster in PAASTA_TESTBED_CONTEXT',
    );
  const bin = await ensureBinaries(log);
  const etcd = fileOf(await ensure('etcd', log), 'etcd'),
    openssl = fileOf(await ensure('openssl', log), 'openssl');
  return { bin, etcd, openssl, ...(size === 'full' && { node: await nodePrograms(log) }) };
}

/** Starts a cluster; the caller holds the lock of its name and has made sure that nothing is left of an earlier one. */
async function start(options: ClusterOptions, found: ClusterPrograms, log: Log): Promise<void> {
  const { name, size } = options,
    full = size === 'full',
    { bin, etcd, openssl, node: programs } = found;
  const dir = clusterDir(name),
    at = layout(dir);
  let record: ClusterRecord | undefined;
  const began = Date.now();
  // bridge and ports are chosen under one lock, so that clusters may start at the same time
  await withLock(machineLock(), async () => {
    const [etcdPort = 0, peer = 0, api = 0, kubeletHealth = 0] = await freePorts(4, promisedPorts());
    const ports: Ports = { etcd: etcdPort, peer, api, kubeletHealth };
    fs.mkdirSync(dir, { recursive: true });
    const fixed = {
      name,
      size,
      fakeNodes: options.fakeNodes,
      ports,
      version: wantedVersion(),
      kubectl: bin.kubectl,
      adminToken: randomBytes(20).toString('hex'),
      extraApiServerArgs: options.extraApiServerArgs,
      extraControllerManagerArgs: options.extraControllerManagerArgs,
      whole: false,
      launches: {},
    };
    record = { ...fixed, nodeName: full ? `node-${name}` : 'fake-0', nodeIp: '127.0.0.1' };
    writeRecord(dir, record);
    if (programs === undefined) return;
    fs.writeFileSync(fullMark(dir), '');
    saveSettings();
    const network = await makeBridge(programs.ip);
    record = { ...record, nodeIp: network.gateway, bridge: network.bridge };
    writeRecord(dir, record);
  });
  if (record === undefined) throw new Error('no record');
  const known: ClusterRecord = record,
    launches: Record<string, Launch> = {};
  const cgroup = full ? makeCgroup(cgroupName(name)) : undefined;
  const begin = async (what: string, argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<void> => {
    launches[what] = { argv, ...(env && { env }), ...(cgroup !== undefined && { cgroup }) };
    await launch(dir, what, launches[what]);
    writeRecord(dir, { ...known, launches });
  };
  await begin('etcd', etcdCommand(etcd, at, known.ports));
  const network = { bridge: known.bridge ?? '', gateway: known.nodeIp, subnet: `${known.nodeIp.replace(/\.1$/, '.0')}/24`, name };
  if (programs !== undefined) await begin('containerd', launchContainerd(at, programs, network), containerEnvironment(programs));
  await prepareFiles(at, known, openssl);
  await waitFor(dir, 'etcd', 'etcd', PATIENCE_MS, () => portOpen(known.ports.etcd));
  await begin('kube-apiserver', apiServerCommand(bin, at, known.ports, options.extraApiServerArgs));
  if (programs !== undefined) await finishNode(at, programs, log);
  const api = new Api(credentialsOf(readKubeconfig(at.kubeconfig)), 'paasta-testbed');
  try {
    await waitFor(dir, 'kube-apiserver', 'the API server', PATIENCE_MS, () => api.ready());
    log(`  API server ready after ${seconds(Date.now() - began)}`);
    await begin('kube-controller-manager', controllerManagerCommand(bin, at, options.extraControllerManagerArgs));
    await begin('kube-scheduler', schedulerCommand(bin, at));
    if (full) {
      await begin('kubelet', launchKubelet(bin, at, known, cgroupName(name)));
      await waitFor(dir, 'kubelet', 'the node to be Ready', PATIENCE_MS, () => nodeReady(api, known.nodeName));
    } else if (options.fakeNodes > 0) {
      const { argv } = fakeNodeLaunch(at, options.fakeNodes);
      await begin('fake-node', argv);
      await waitFor(dir, 'fake-node', 'the fake node to be Ready', PATIENCE_MS, () => nodeReady(api, known.nodeName));
    }
    await waitFor(dir, 'kube-controller-manager', 'the default service account', PATIENCE_MS, () => defaultServiceAccount(api));
  } finally {
    api.close();
  }
  writeRecord(dir, { ...known, launches, whole: true });
}

/** Brings the cluster up: reuses a whole one of the same shape, replaces a broken one. */
export async function up(options: ClusterOptions, log: Log): Promise<ClusterRecord> {
  checkName(options.name);
  const dir = clusterDir(options.name);
  return withLock(
    lockOf(options.name),
    async () => {
      const there = readRecord(dir);
      if (there !== undefined && (await isUp(dir))) {
        const same =
          there.size === options.size &&
          there.fakeNodes >= options.fakeNodes &&
          JSON.stringify(there.extraApiServerArgs) === JSON.stringify(options.extraApiServerArgs) &&
          JSON.stringify(there.extraControllerManagerArgs) === JSON.stringify(options.extraControllerManagerArgs);
        if (!same)
          throw new TestbedError(
            `testbed '${options.name}' is up in another shape: ${there.size}, ${there.fakeNodes} fake node(s)`,
            `npm run testbed -- down --name ${options.name}, or take another --name`,
          );
        log(`Kubernetes '${options.name}' is up already: reusing it (${dir})`);
        return there;
      }
      if (fs.existsSync(dir)) {
        log(`Kubernetes '${options.name}' is left over or broken: removing it first`);
        await remove(options.name, log);
      }
      const nodes = options.size === 'full' ? 'kubelet and containerd: real pods' : `${options.fakeNodes} fake node(s)`;
      const programs = await clusterPrograms(options.size, log);
      // a failed start leaves its logs for reading; `down` and the next `up` remove them
      await step(
        log,
        `starting Kubernetes ${wantedVersion()} '${options.name}': etcd, API server with RBAC and audit log, controllers, scheduler, ${nodes}`,
        `the cluster that deploy talks to; usually ${options.size === 'full' ? '6 s' : '4 s'} once everything is in the cache`,
        () => start(options, programs, log),
      );
      const record = readRecord(dir);
      if (record === undefined) throw new Error(`no record in ${dir}`);
      return record;
    },
    log,
  );
}

async function remove(name: string, log: Log): Promise<void> {
  const dir = clusterDir(name),
    record = readRecord(dir),
    full = fs.existsSync(fullMark(dir));
  // the data is thrown away, so nothing needs a gentle end; the kubelet first, or it would start pods again
  const order = ['kubelet', 'fake-node', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd', 'containerd'];
  for (const process of [...order, ...recordedNames(dir).filter((n) => !order.includes(n))]) await stop(dir, process, 'SIGKILL');
  if (full) {
    await removeCgroup(cgroupName(name), log);
    removeTraces(dir);
    await unmountBelow(dir);
    if (record?.bridge !== undefined) await run(['ip', 'link', 'del', record.bridge]);
  }
  fs.rmSync(dir, { recursive: true, force: true });
  restoreSettings();
}

/** Ends every process of the cluster by its id and removes what it left on the machine. */
export async function down(name: string, log: Log): Promise<boolean> {
  const dir = clusterDir(checkName(name));
  if (!fs.existsSync(dir)) return false;
  await withLock(lockOf(name), () => remove(name, log), log);
  tidyState(name);
  log(`Kubernetes '${name}' is down`);
  return true;
}

/** Stops the API server as a crash would (SIGKILL) or in peace. */
export async function stopApiServer(name: string, how: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  await stop(clusterDir(name), 'kube-apiserver', how, 20_000);
}

/** Starts the API server again as it was and waits until it is ready; stores and port stay. */
export async function startApiServer(name: string): Promise<void> {
  const dir = clusterDir(name),
    how = readRecord(dir)?.launches['kube-apiserver'];
  if (how === undefined) throw new TestbedError(`testbed '${name}' has no API server to start`);
  const api = new Api(credentialsOf(readKubeconfig(layout(dir).kubeconfig)), 'paasta-testbed');
  try {
    for (let left = 20; ; left--) {
      await launch(dir, 'kube-apiserver', how);
      try {
        await waitFor(dir, 'kube-apiserver', 'the API server', PATIENCE_MS, () => api.ready());
        return;
      } catch (error) {
        // The threads of the one that was killed may still hold its port, although its leader is gone.
        if (left === 0 || !(error instanceof TestbedError) || !/address already in use/.test(lastLines(dir, 'kube-apiserver', 3)))
          throw error;
        await sleep(250);
      }
    }
  } finally {
    api.close();
  }
}

/** One context of the user's kubeconfig as JSON, with its credentials; by kubectl, because theirs is YAML. */
export async function kubeconfigAsJson(kubectl: string, context: string): Promise<string> {
  const ran = await run([kubectl, 'config', 'view', '--raw', '--minify', '--flatten', '-o', 'json', '--context', context]);
  if (ran.exitCode === 0) return ran.stdout;
  throw new TestbedError(
    `PAASTA_TESTBED_CONTEXT names '${context}', which kubectl does not find: ${ran.stderr.trim()}`,
    'see `kubectl config get-contexts`, or unset it to let the testbed start its own cluster',
  );
}
