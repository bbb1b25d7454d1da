/** How each component of the control plane is started: flags only, no effects. */
import path from 'node:path';
import type { Binaries } from './kubernetes-build.ts';

export const SERVICE_RANGE = '10.96.0.0/16';
export const SERVICE_FIRST = '10.96.0.1';

/** Every file that a cluster keeps, below its state directory. */
export interface Layout {
  readonly dir: string;
  readonly pki: string;
  readonly auditLog: string;
  readonly auditPolicy: string;
  readonly tokens: string;
  readonly kubeconfig: string;
  readonly rules: string;
}

export function layout(dir: string): Layout {
  const at = (file: string): string => path.join(dir, file);
  return {
    dir,
    pki: at('pki'),
    auditLog: at('audit.log'),
    auditPolicy: at('audit-policy.yaml'),
    tokens: at('tokens.csv'),
    kubeconfig: at('admin.kubeconfig'),
    rules: at('fake-rules.json'),
  };
}

export interface Ports {
  readonly etcd: number;
  readonly peer: number;
  readonly api: number;
  readonly kubeletHealth: number;
}

export const AUDIT_POLICY = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n';

export function etcdCommand(etcd: string, at: Layout, ports: Ports): string[] {
  const client = `http://127.0.0.1:${ports.etcd}`,
    peer = `http://127.0.0.1:${ports.peer}`;
  // the data is thrown away with the cluster, so nothing waits for the disk
  return [
    etcd,
    '--name',
    'default',
    '--data-dir',
    path.join(at.dir, 'etcd'),
    '--log-level',
    'warn',
    '--unsafe-no-fsync',
    '--listen-client-urls',
    client,
    '--advertise-client-urls',
    client,
    '--listen-peer-urls',
    peer,
    '--initial-advertise-peer-urls',
    peer,
    '--initial-cluster',
    `default=${peer}`,
  ];
}

export function apiServerCommand(bin: Binaries, at: Layout, ports: Ports, extra: readonly string[]): string[] {
  const pki = (file: string): string => path.join(at.pki, file);
  return [
    bin['kube-apiserver'],
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${ports.api}`,
    `--service-cluster-ip-range=${SERVICE_RANGE}`,
    '--endpoint-reconciler-type=none',
    `--cert-dir=${pki('generated')}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--token-auth-file=${at.tokens}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--kubelet-client-certificate=${pki('kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('kubelet-client.key')}`,
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--audit-policy-file=${at.auditPolicy}`,
    `--audit-log-path=${at.auditLog}`,
    '--profiling=false',
    ...extra,
  ];
}

/** The default client limits make a rolling update of 20 pods take 4 s instead of 0.7 s. */
const FAST_CLIENT = ['--kube-api-qps=200', '--kube-api-burst=400'];

function authentication(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
    '--profiling=false',
  ];
}

export function controllerManagerCommand(bin: Binaries, at: Layout, extra: readonly string[]): string[] {
  const pki = (file: string): string => path.join(at.pki, file);
  return [
    bin['kube-controller-manager'],
    ...authentication(path.join(at.dir, 'controller-manager.kubeconfig')),
    '--secure-port=0',
    // without it the node lifecycle controller lacks rights under RBAC
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${pki('sa.key')}`,
    `--root-ca-file=${pki('ca.crt')}`,
    `--cluster-signing-cert-file=${pki('ca.crt')}`,
    `--cluster-signing-key-file=${pki('ca.key')}`,
    `--flex-volume-plugin-dir=${path.join(at.dir, 'flexvolume')}`,
    ...FAST_CLIENT,
    ...extra,
  ];
}

export function schedulerCommand(bin: Binaries, at: Layout): string[] {
  return [bin['kube-scheduler'], ...authentication(path.join(at.dir, 'scheduler.kubeconfig')), '--secure-port=0', ...FAST_CLIENT];
}

/** containerd 1.6 to 2.x, CRI only, all below the state directory; registries are read from `certs.d` at every pull. */
export function containerdConfig(
  at: Layout,
  programs: { readonly runc: string; readonly cniBin: string; readonly pauseImage: string },
): string {
  const { dir } = at,
    q = JSON.stringify;
  return `version = 2
root = ${q(path.join(dir, 'containerd', 'root'))}
state = ${q(path.join(dir, 'containerd', 'state'))}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = ${q(path.join(dir, 'cd.sock'))}
[plugins."io.containerd.internal.v1.opt"]
  path = ${q(path.join(dir, 'containerd', 'opt'))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${q(programs.pauseImage)}
  # without CAP_SYS_RESOURCE nothing may lower an oom score, and every sandbox would die in runc
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = ${q(programs.runc)}
        Root = ${q(path.join(dir, 'runc'))}
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${q(programs.cniBin)}
    conf_dir = ${q(path.join(dir, 'cni', 'conf'))}
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${q(path.join(dir, 'certs.d'))}
`;
}

export function cniConfig(
  at: Layout,
  network: { readonly name: string; readonly bridge: string; readonly subnet: string; readonly gateway: string },
): string {
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: `paasta-testbed-${network.name}`,
    plugins: [
      {
        type: 'bridge',
        bridge: network.bridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: path.join(at.dir, 'cni', 'ipam'),
          ranges: [[{ subnet: network.subnet, gateway: network.gateway }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

/** JSON, which is YAML too. `failCgroupV1: false`: the kubelet refuses cgroup v1 otherwise. */
export function kubeletConfig(at: Layout, node: { readonly ip: string; readonly healthPort: number; readonly cgroup: string }): string {
  const pki = (file: string): string => path.join(at.pki, file);
  return JSON.stringify(
    {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      address: node.ip,
      port: 10250,
      readOnlyPort: 0,
      healthzBindAddress: '127.0.0.1',
      healthzPort: node.healthPort,
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: pki('ca.crt') } },
      authorization: { mode: 'Webhook' },
      tlsCertFile: pki('node.crt'),
      tlsPrivateKeyFile: pki('node.key'),
      containerRuntimeEndpoint: `unix://${path.join(at.dir, 'cd.sock')}`,
      cgroupDriver: 'cgroupfs',
      cgroupRoot: node.cgroup,
      enforceNodeAllocatable: [],
      failCgroupV1: false,
      failSwapOn: false,
      makeIPTablesUtilChains: false,
      resolvConf: '',
      clusterDNS: ['10.96.0.10'],
      clusterDomain: 'cluster.local',
      serializeImagePulls: false,
      registryPullQPS: 0,
      imageGCHighThresholdPercent: 100, // containerd 1.6 cannot pin the pause image
      evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'nodefs.inodesFree': '1%', 'imagefs.available': '1%' },
      podLogsDir: path.join(at.dir, 'pods'),
      volumePluginDir: path.join(at.dir, 'kubelet', 'volumeplugins'),
    },
    null,
    1,
  );
}

export function kubeletCommand(bin: Binaries, at: Layout, node: { readonly name: string; readonly ip: string }): string[] {
  return [
    bin.kubelet,
    `--config=${path.join(at.dir, 'kubelet.json')}`,
    `--kubeconfig=${path.join(at.dir, 'node.kubeconfig')}`,
    `--root-dir=${path.join(at.dir, 'kubelet')}`,
    `--cert-dir=${path.join(at.dir, 'kubelet', 'pki')}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.ip}`,
  ];
}
