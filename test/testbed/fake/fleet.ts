/** Fake nodes: registers them, keeps them alive, plays the pods that the scheduler binds to them. */
import fs from 'node:fs';
import https from 'node:https';
import { Api, ApiError, MERGE_PATCH, STRATEGIC_PATCH } from '../parts/api.ts';
import type { Credentials } from '../parts/api.ts';
import { sleep } from '../parts/say.ts';
import type { Log } from '../parts/say.ts';
import { FakePod } from './pod.ts';
import type { PodHost } from './pod.ts';
import type { Rule } from './plan.ts';
import { rfc3339 } from './objects.ts';
import type { Pod } from './objects.ts';

export interface FleetOptions {
  readonly credentials: Credentials;
  readonly nodes: number;
  readonly prefix?: string;
  /** File with rules, read again for each new pod; may be missing. */
  readonly rulesFile?: string;
  /** With these the kubelet's log endpoint is served, for `kubectl logs`. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa: Buffer };
  readonly log: Log;
}

export const FAKE_NODE_AGENT = 'paasta-testbed-fake-node';
const HEARTBEAT_MS = 10_000;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

export class Fleet implements PodHost {
  readonly api: Api;
  readonly address = '127.0.0.1';
  readonly log: Log;
  private readonly options: FleetOptions;
  private readonly names: readonly string[];
  private readonly pods = new Map<string, FakePod>();
  private readonly gates = new Map<string, string>();
  private heartbeat: NodeJS.Timeout | undefined;
  private server: https.Server | undefined;
  private stopped = false;
  private ips = 0;

  constructor(options: FleetOptions) {
    this.options = options;
    this.log = options.log;
    this.api = new Api(options.credentials, FAKE_NODE_AGENT);
    this.names = Array.from({ length: options.nodes }, (_, i) => `${options.prefix ?? 'fake'}-${i}`);
  }

  newIp(): string {
    const n = ++this.ips;
    return `10.250.${(n >> 8) & 255}.${n & 255}`;
  }

  rules(): readonly Rule[] {
    const { rulesFile } = this.options;
    if (rulesFile === undefined || !fs.existsSync(rulesFile)) return [];
    try {
      return JSON.parse(fs.readFileSync(rulesFile, 'utf8')) as Rule[];
    } catch (error) {
      this.log(`rules in ${rulesFile} are not usable: ${String(error)}`);
      return [{ behaviour: 'unreadable rules' as 'ready' }]; // shows in the pod: a typo never becomes a default
    }
  }

  async start(): Promise<void> {
    const port = await this.serveLogs();
    await Promise.all(this.names.map((name) => this.register(name, port)));
    this.heartbeat = setInterval(() => {
      for (const name of this.names)
        this.lease(name).catch((e: unknown) => {
          this.log(`lease: ${String(e)}`);
        });
    }, HEARTBEAT_MS);
    const mine = new Set(this.names);
    void this.api.follow<Pod>(
      '/api/v1/pods',
      (items) => {
        const seen = new Set(items.map((p) => p.metadata.uid));
        for (const uid of this.pods.keys()) if (!seen.has(uid)) this.forget(uid);
        for (const pod of items) if (mine.has(pod.spec.nodeName ?? '')) this.observe(pod);
      },
      ({ type, object }) => {
        if (!mine.has(object.spec.nodeName ?? '')) return;
        if (type === 'DELETED') this.forget(object.metadata.uid);
        else this.observe(object);
      },
      () => this.stopped,
    );
    this.log(`playing ${this.names.join(', ')}`);
  }

  private forget(uid: string): void {
    this.pods.get(uid)?.forget();
    this.pods.delete(uid);
    this.gates.delete(uid);
  }

  private observe(pod: Pod): void {
    const { uid, deletionTimestamp, generation } = pod.metadata;
    const over = ['Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
    const gates = JSON.stringify(
      (pod.spec.readinessGates ?? []).map((g) => pod.status?.conditions?.find((c) => c.type === g.conditionType)?.status),
    );
    let known = this.pods.get(uid);
    if (known === undefined) {
      if (over && deletionTimestamp === undefined) return;
      known = new FakePod(this, pod);
      this.pods.set(uid, known);
    } else {
      const changed = generation !== known.pod.metadata.generation || this.gates.get(uid) !== gates;
      known.pod = pod;
      if (changed && deletionTimestamp === undefined) known.write();
    }
    this.gates.set(uid, gates);
    if (deletionTimestamp !== undefined) known.stop();
  }

  private async register(name: string, port: number): Promise<void> {
    const amount = { cpu: '256', memory: '1024Gi', pods: '2000', 'ephemeral-storage': '4000Gi' },
      now = rfc3339();
    const labels = {
      'kubernetes.io/hostname': name,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'fake.paasta-testbed/node': 'true',
    };
    await this.api.call('POST', '/api/v1/nodes', { metadata: { name, labels } }).catch((e: unknown) => {
      if (!(e instanceof ApiError && e.status === 409)) throw e;
    });
    await this.lease(name);
    const condition = (type: string, status: string, reason: string): object => ({
      type,
      status,
      reason,
      message: reason,
      lastHeartbeatTime: now,
      lastTransitionTime: now,
    });
    await this.api.call(
      'PATCH',
      `/api/v1/nodes/${name}/status`,
      {
        status: {
          capacity: amount,
          allocatable: amount,
          addresses: [
            { type: 'InternalIP', address: this.address },
            { type: 'Hostname', address: name },
          ],
          ...(port > 0 && { daemonEndpoints: { kubeletEndpoint: { Port: port } } }),
          nodeInfo: {
            machineID: '',
            systemUUID: '',
            bootID: '',
            kernelVersion: '',
            osImage: 'fake',
            containerRuntimeVersion: 'fake://1',
            kubeletVersion: 'v0.0.0-fake',
            kubeProxyVersion: '',
            operatingSystem: 'linux',
            architecture: 'amd64',
          },
          conditions: [
            condition('Ready', 'True', 'KubeletReady'),
            condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
            condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
            condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
          ],
        },
      },
      STRATEGIC_PATCH,
    );
  }

  private async lease(name: string): Promise<void> {
    const renewTime = new Date().toISOString().replace('Z', '000Z');
    for (let attempt = 0; ; attempt++) {
      try {
        await this.api.call('PATCH', `${LEASES}/${name}`, { spec: { renewTime } }, MERGE_PATCH);
        return;
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404) || attempt > 100) throw error;
      }
      // the lease's namespace comes a moment after the API server is ready
      const made = await this.api
        .call('POST', LEASES, { metadata: { name }, spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime } })
        .then(
          () => true,
          () => false,
        );
      if (made) return;
      await sleep(50);
    }
  }

  /** `GET /containerLogs/<namespace>/<pod>/<container>`: the kubelet endpoint that deploy tools read. */
  private async serveLogs(): Promise<number> {
    const { tls } = this.options;
    if (tls === undefined) return 0;
    const server = https.createServer(
      { cert: tls.cert, key: tls.key, ca: tls.clientCa, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const url = new URL(request.url ?? '/', 'https://fake');
        const [, what, namespace, name, container = ''] = url.pathname.split('/');
        const pod = [...this.pods.values()].find((p) => p.pod.metadata.namespace === namespace && p.pod.metadata.name === name);
        const answer = what === 'containerLogs' ? pod?.logs(container, url.searchParams) : undefined;
        response.writeHead(answer?.status ?? 404, { 'content-type': 'text/plain' }).end(answer?.text ?? 'not found\n');
      },
    );
    this.server = server;
    await new Promise<void>((resolve) => {
      server.listen(0, this.address, resolve);
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.heartbeat);
    this.server?.close();
    for (const pod of this.pods.values()) pod.forget();
    this.api.close();
  }
}
