/** kind, when it is installed and a docker engine of the machine answers: a cluster of its own name, audit log on. */
import fs from 'node:fs';
import path from 'node:path';
import { AUDIT_POLICY } from './control-plane.ts';
import { engineVersion, machineEngines } from './docker.ts';
import { hostsToml } from './node.ts';
import { isRoot, partState, tidyState } from './places.ts';
import { launch, stop } from './processes.ts';
import { find, fileOf } from './programs.ts';
import { must, run, which } from './run.ts';
import { step, TestbedError } from './say.ts';
import type { Log } from './say.ts';
import type { RegistryRecord } from './registry.ts';

const kindDir = (name: string): string => partState(name, 'kind');
const kindName = (name: string): string => `paasta-testbed-${name}`;
const nodeName = (name: string): string => `${kindName(name)}-control-plane`;

/** True when kind, kubectl and an engine of the machine are here; PAASTA_TESTBED_KIND=0 says not to use them. */
export async function kindInstalled(log: Log): Promise<boolean> {
  if (process.env['PAASTA_TESTBED_KIND'] === '0' || which('kind') === undefined || which('kubectl') === undefined) return false;
  const docker = await find('docker');
  if (!('directory' in docker)) return false;
  for (const address of machineEngines()) if ((await engineVersion(fileOf(docker, 'docker'), address)) !== undefined) return true;
  log('kind is installed but no docker engine of the machine answers: not using kind');
  return false;
}

/** The cluster's configuration: audit log on a mounted directory, registries by `certs.d` as containerd reads it. */
export function kindConfig(dir: string): object {
  const audit =
    'kind: ClusterConfiguration\napiServer:\n  extraArgs:\n    audit-log-path: /var/log/kubernetes/audit.log\n    audit-policy-file: /etc/kubernetes/testbed/audit-policy.yaml\n' +
    '  extraVolumes:\n  - {name: audit-policy, hostPath: /etc/kubernetes/testbed, mountPath: /etc/kubernetes/testbed, readOnly: true, pathType: DirectoryOrCreate}\n' +
    '  - {name: audit-log, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, readOnly: false, pathType: DirectoryOrCreate}\n';
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    containerdConfigPatches: ['[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n'],
    nodes: [
      {
        role: 'control-plane',
        kubeadmConfigPatches: [audit],
        extraMounts: [
          { hostPath: path.join(dir, 'policy'), containerPath: '/etc/kubernetes/testbed', readOnly: true },
          { hostPath: path.join(dir, 'audit'), containerPath: '/var/log/kubernetes' },
        ],
      },
    ],
  };
}

export interface KindCluster {
  readonly kubectlPath: string;
  readonly kubeconfigPath: string;
  readonly auditLogPath: string;
}

/** Starts or reuses the kind cluster of this name; pods are made reachable from the machine where root allows it. */
export async function upKind(name: string, log: Log): Promise<KindCluster> {
  const dir = kindDir(name),
    kubeconfigPath = path.join(dir, 'admin.kubeconfig'),
    kubectlPath = which('kubectl') ?? '',
    kind = which('kind') ?? '';
  const cluster: KindCluster = { kubectlPath, kubeconfigPath, auditLogPath: path.join(dir, 'audit', 'audit.log') };
  const known = (await must([kind, 'get', 'clusters'])).split('\n').includes(kindName(name));
  if (
    known &&
    fs.existsSync(kubeconfigPath) &&
    (await run([kubectlPath, '--kubeconfig', kubeconfigPath, 'get', '--raw', '/readyz'])).exitCode === 0
  ) {
    log(`kind cluster '${kindName(name)}' is up already: reusing it`);
    return cluster;
  }
  await step(
    log,
    `starting a kind cluster '${kindName(name)}'`,
    'kind is installed; usually 1 minute, longer when its node image must be fetched',
    async () => {
      if (known) await must([kind, 'delete', 'cluster', '--name', kindName(name)]);
      for (const d of ['policy', 'audit']) fs.mkdirSync(path.join(dir, d), { recursive: true });
      fs.writeFileSync(path.join(dir, 'policy', 'audit-policy.yaml'), AUDIT_POLICY);
      const yaml = path.join(dir, 'kind.json'),
        raw = path.join(dir, 'kind.kubeconfig');
      fs.writeFileSync(yaml, JSON.stringify(kindConfig(dir)));
      await must([kind, 'create', 'cluster', '--name', kindName(name), '--kubeconfig', raw, '--config', yaml, '--wait', '180s']);
      fs.writeFileSync(
        kubeconfigPath,
        await must([kubectlPath, '--kubeconfig', raw, 'config', 'view', '--raw', '--flatten', '-o', 'json']),
        { mode: 0o600 },
      );
      // tests talk to pods by their address, as on the testbed's own node
      const subnet = await must([kubectlPath, '--kubeconfig', kubeconfigPath, 'get', 'nodes', '-o', 'jsonpath={.items[0].spec.podCIDR}']),
        via = await nodeAddress(name, 'IPAddress');
      const routed = await run([...(isRoot() ? [] : ['sudo', '-n']), 'ip', 'route', 'replace', subnet, 'via', via]);
      if (routed.exitCode !== 0) log(`  no route to pods (${routed.stderr.trim()}): tests that call a pod by its address will fail`);
    },
  );
  return cluster;
}

async function nodeAddress(name: string, field: 'IPAddress' | 'Gateway'): Promise<string> {
  const docker = await find('docker');
  if (!('directory' in docker)) throw new TestbedError('the docker command is gone');
  return must([fileOf(docker, 'docker'), 'inspect', '-f', `{{range .NetworkSettings.Networks}}{{.${field}}}{{end}}`, nodeName(name)]);
}

/** The registry listens on loopback, which is another one inside the node: a second server shows the same images there. */
export async function allowKindRegistry(name: string, registry: RegistryRecord): Promise<void> {
  const dir = kindDir(name),
    gateway = await nodeAddress(name, 'Gateway'),
    port = registry.host.split(':')[1] ?? '';
  const images = path.dirname(registry.dockerConfigDir),
    config = path.join(dir, 'registry.yaml'),
    program = await find('registry'),
    docker = await find('docker');
  if (!('directory' in program) || !('directory' in docker)) throw new TestbedError('docker-registry or docker is gone');
  const own = JSON.parse(fs.readFileSync(path.join(images, 'registry.yaml'), 'utf8')) as { http: { addr: string } };
  fs.writeFileSync(config, JSON.stringify({ ...own, http: { addr: `${gateway}:${port}` } }));
  await stop(dir, 'registry');
  await launch(dir, 'registry', { argv: [fileOf(program, 'docker-registry'), 'serve', config] });
  const toml = hostsToml(registry.host, registry.user, registry.password)
    .replace(`[host."http://${registry.host}"]`, `[host."http://${gateway}:${port}"]`)
    .replace(`[host."http://${registry.host}".header]`, `[host."http://${gateway}:${port}".header]`);
  const at = `/etc/containerd/certs.d/${registry.host}`;
  await must([fileOf(docker, 'docker'), 'exec', '-i', nodeName(name), 'sh', '-c', `mkdir -p '${at}' && cat > '${at}/hosts.toml'`], {
    input: toml,
  });
}

export async function downKind(name: string, log: Log): Promise<boolean> {
  const dir = kindDir(name),
    kind = which('kind');
  if (!fs.existsSync(dir)) return false;
  await stop(dir, 'registry');
  if (kind !== undefined) await must([kind, 'delete', 'cluster', '--name', kindName(name)]);
  // files of the audit log belong to root
  try {
    fs.rmSync(dir, { recursive: true, force: true });
  } catch {
    await run(['sudo', '-n', 'rm', '-rf', dir]);
  }
  tidyState(name);
  log(`kind cluster '${kindName(name)}' is down`);
  return true;
}
