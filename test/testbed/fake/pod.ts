/** One fake pod: its containers follow their plans, its status is written as the kubelet would. */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, STRATEGIC_PATCH } from '../parts/api.ts';
import type { Api } from '../parts/api.ts';
import { imageIdOf, planFor, preStopMs } from './plan.ts';
import type { Plan, Rule } from './plan.ts';
import { rfc3339 } from './objects.ts';
import type { Container, ContainerState, Pod, Terminated } from './objects.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
/** How long a crashed container shows `terminated` before it waits for its restart. */
const CRASH_SHOWN_MS = 20;
const PULL_ERROR_SHOWN_MS = 300;
const KILLED = 137;

interface Running {
  readonly spec: Container;
  readonly plan: Plan;
  restarts: number;
  crashes: number;
  ready: boolean;
  started: boolean;
  state: ContainerState;
  lastState: { readonly terminated?: Terminated };
  id: string;
  imageId: string;
  startedAt: string;
}

/** What a pod needs from its fleet. */
export interface PodHost {
  readonly api: Api;
  readonly address: string;
  rules(): readonly Rule[];
  newIp(): string;
  log(line: string): void;
}

/** An API server that has just started does not know the rights yet. */
const PASSING = new Set([401, 403, 429]);

export class FakePod {
  pod: Pod;
  private readonly host: PodHost;
  private readonly ip: string;
  private readonly startTime = rfc3339();
  private readonly containers: Running[];
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly transitions = new Map<string, { status: string; at: string }>();
  private dirty = false;
  private writing: Promise<void> | undefined;
  private gone = false;
  /** When the pod is killed at the latest, in epoch milliseconds; Infinity while nobody deletes it. */
  private deadline = Infinity;

  constructor(host: PodHost, pod: Pod) {
    this.host = host;
    this.pod = pod;
    this.ip = host.newIp();
    const rules = host.rules();
    const { name, namespace, annotations, ownerReferences } = pod.metadata;
    const identity = {
      name,
      namespace,
      ...(annotations && { annotations }),
      ownedByJob: ownerReferences?.some((o) => o.kind === 'Job') ?? false,
    };
    this.containers = pod.spec.containers.map((spec) => {
      const plan = planFor(identity, spec, rules);
      const fallback = planFor({ ...identity, annotations: {} }, spec, []) as Plan;
      const usable = 'mistake' in plan ? { ...fallback, behaviour: 'config-error' as const, message: plan.mistake } : plan;
      return {
        spec,
        plan: usable,
        restarts: usable['initial-restarts'],
        crashes: 0,
        ready: false,
        started: false,
        state: { waiting: { reason: 'ContainerCreating' } },
        lastState: {},
        id: '',
        imageId: '',
        startedAt: '',
      };
    });
    for (const c of this.containers) this.begin(c);
    this.write();
  }

  /** Runs at once for 0 (the state then goes out with the first write), by a timer otherwise. */
  private after(ms: number, what: () => void): void {
    if (ms <= 0) {
      what();
      return;
    }
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!this.gone) what();
    }, ms);
    this.timers.add(timer);
  }
  private quiet(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
  private set(c: Running, state: ContainerState): void {
    c.state = state;
    this.write();
  }

  private begin(c: Running): void {
    const {
      plan,
      spec: { image },
    } = c;
    this.after(plan['start-after-ms'], () => {
      const fail = (reason: string, message: string): void => {
        this.set(c, { waiting: { reason, message: plan.message ?? message } });
      };
      switch (plan.behaviour) {
        case 'image-pull-error': {
          const text = `rpc error: code = NotFound desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${image}: not found`;
          fail('ErrImagePull', text);
          this.event('Failed', `Failed to pull image "${image}": ${text}`, c);
          this.after(PULL_ERROR_SHOWN_MS, () => {
            fail('ImagePullBackOff', `Back-off pulling image "${image}": ErrImagePull: ${text}`);
          });
          return;
        }
        case 'invalid-image':
          fail(
            'InvalidImageName',
            `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
          );
          this.event(
            'InspectFailed',
            `Failed to apply default image tag "${image}": couldn't parse image name "${image}": invalid reference format`,
            c,
          );
          return;
        case 'config-error':
          fail('CreateContainerConfigError', 'configmap "missing" not found');
          this.event('Failed', `Error: ${plan.message ?? 'configmap "missing" not found'}`, c);
          return;
        default:
          this.run(c);
      }
    });
  }

  private run(c: Running): void {
    const { plan } = c;
    c.id = `containerd://${sha256(`${this.pod.metadata.uid}/${c.spec.name}/${c.restarts}`)}`;
    c.imageId = imageIdOf(c.spec.image, sha256);
    c.startedAt = rfc3339();
    c.started = c.spec.startupProbe === undefined;
    this.set(c, { running: { startedAt: c.startedAt } });
    const getReady = (): void => {
      this.after(plan['ready-after-ms'], () => {
        c.started = true;
        this.toggle(c, true);
      });
    };
    switch (plan.behaviour) {
      case 'never-ready':
        this.event('Unhealthy', plan.message ?? 'Readiness probe failed: HTTP probe failed with statuscode: 503', c);
        return;
      case 'complete':
      case 'fail':
        this.after(plan['complete-after-ms'], () => {
          this.end(c, plan['exit-code'] ?? (plan.behaviour === 'complete' ? 0 : 1));
        });
        return;
      case 'crash-loop':
      case 'oom':
        if (c.crashes >= plan['crash-times']) {
          getReady();
          return;
        }
        this.after(plan['crash-after-ms'], () => {
          c.crashes++;
          if (plan.behaviour === 'oom') this.end(c, plan['exit-code'] ?? KILLED, 'OOMKilled');
          else this.end(c, plan['exit-code'] ?? 1);
        });
        return;
      default:
        getReady();
    }
  }

  private toggle(c: Running, ready: boolean): void {
    c.ready = ready;
    this.write();
    if (c.plan['flap-ms'] > 0)
      this.after(c.plan['flap-ms'], () => {
        this.toggle(c, !ready);
      });
  }

  /** The container's process ended by itself; it is restarted as the pod's policy says. */
  private end(c: Running, exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): void {
    const { plan } = c,
      policy = this.pod.spec.restartPolicy ?? 'Always',
      { name, namespace, uid } = this.pod.metadata;
    const terminated: Terminated = {
      exitCode,
      reason,
      startedAt: c.startedAt,
      finishedAt: rfc3339(),
      containerID: c.id,
      ...(plan.message !== undefined && { message: plan.message }),
    };
    c.ready = false;
    c.started = false;
    this.set(c, { terminated });
    if (policy === 'Never' || (policy === 'OnFailure' && exitCode === 0)) return;
    const wait = Math.min(plan['backoff-ms'] * 2 ** Math.max(0, c.crashes - 1), plan['backoff-max-ms']);
    this.after(CRASH_SHOWN_MS, () => {
      c.lastState = { terminated };
      this.set(c, {
        waiting: {
          reason: 'CrashLoopBackOff',
          message: `back-off ${Math.ceil(wait / 1000)}s restarting failed container=${c.spec.name} pod=${name}_${namespace}(${uid})`,
        },
      });
      this.event('BackOff', `Back-off restarting failed container ${c.spec.name} in pod ${name}_${namespace}(${uid})`, c);
      this.after(Math.max(1, wait), () => {
        c.restarts++;
        this.run(c);
      });
    });
  }

  /** The object is being deleted: preStop, SIGTERM, SIGKILL at the end of the grace period, then it is removed. */
  stop(): void {
    const { deletionTimestamp, deletionGracePeriodSeconds } = this.pod.metadata;
    const grace = 1000 * (deletionGracePeriodSeconds ?? this.pod.spec.terminationGracePeriodSeconds ?? 30);
    const deadline = Date.parse(deletionTimestamp ?? rfc3339());
    if (deadline >= this.deadline) return; // only a shorter grace period changes a termination that is under way
    this.deadline = deadline;
    const left = Math.max(0, Math.min(grace, deadline - Date.now()));
    this.quiet();
    let last = 0;
    for (const c of this.containers) {
      if (c.state.running === undefined) continue;
      const wanted = preStopMs(c.spec.lifecycle?.preStop) + c.plan['terminate-after-ms'],
        at = Math.min(wanted, left);
      last = Math.max(last, at);
      this.after(at, () => {
        const killed = wanted > left;
        c.ready = false;
        c.started = false;
        this.set(c, {
          terminated: {
            exitCode: killed ? KILLED : 0,
            reason: killed ? 'Error' : 'Completed',
            startedAt: c.startedAt,
            finishedAt: rfc3339(),
            containerID: c.id,
          },
        });
      });
    }
    this.after(last + 5, () => {
      void this.remove();
    });
  }
  private async remove(): Promise<void> {
    await this.writing;
    await this.insist('delete', () =>
      this.host.api.call('DELETE', this.path(), { gracePeriodSeconds: 0, preconditions: { uid: this.pod.metadata.uid } }),
    );
  }

  /** The object is gone: nothing more is written. */
  forget(): void {
    this.gone = true;
    this.quiet();
  }

  private path(sub = ''): string {
    return `/api/v1/namespaces/${this.pod.metadata.namespace}/pods/${this.pod.metadata.name}${sub}`;
  }

  private phase(): string {
    const over =
      this.containers.every((c) => c.state.terminated !== undefined) &&
      (this.deadline !== Infinity || this.pod.spec.restartPolicy !== 'Always');
    if (over) return this.containers.every((c) => c.state.terminated?.exitCode === 0) ? 'Succeeded' : 'Failed';
    return this.containers.some((c) => c.id !== '') ? 'Running' : 'Pending';
  }

  private condition(type: string, ok: boolean, reason?: string, message?: string): object {
    const status = ok ? 'True' : 'False',
      known = this.transitions.get(type);
    const at = known?.status === status ? known.at : rfc3339();
    this.transitions.set(type, { status, at });
    // null removes what an earlier patch put there
    return { type, status, lastTransitionTime: at, reason: ok ? null : (reason ?? null), message: ok ? null : (message ?? null) };
  }

  private status(): object {
    const phase = this.phase(),
      ready = this.containers.every((c) => c.ready);
    const gates = (this.pod.spec.readinessGates ?? []).every(
      (g) => this.pod.status?.conditions?.some((x) => x.type === g.conditionType && x.status === 'True') === true,
    );
    const unready = this.containers
      .filter((c) => !c.ready)
      .map((c) => c.spec.name)
      .join(' ');
    const [reason, message] =
      phase === 'Succeeded'
        ? ['PodCompleted', undefined]
        : phase === 'Failed'
          ? ['PodFailed', undefined]
          : ['ContainersNotReady', `containers with unready status: [${unready}]`];
    const [gateReason, gateMessage] = ready
      ? ['ReadinessGatesNotReady', 'the status of some pod readiness gate is not "True"']
      : [reason, message];
    const hasIp = this.containers.some((c) => c.id !== '' || c.state.waiting?.reason !== 'ContainerCreating');
    return {
      phase,
      startTime: this.startTime,
      hostIP: this.host.address,
      hostIPs: [{ ip: this.host.address }],
      ...(hasIp && { podIP: this.ip, podIPs: [{ ip: this.ip }] }),
      conditions: [
        this.condition('PodReadyToStartContainers', true),
        this.condition('Initialized', true),
        this.condition('ContainersReady', ready, reason, message),
        this.condition('Ready', ready && gates, gateReason, gateMessage),
      ],
      initContainerStatuses: (this.pod.spec.initContainers ?? []).map((c) => ({
        name: c.name,
        image: c.image,
        imageID: imageIdOf(c.image, sha256),
        ready: true,
        restartCount: 0,
        started: false,
        state: { terminated: { exitCode: 0, reason: 'Completed' } },
      })),
      containerStatuses: this.containers.map((c) => ({
        name: c.spec.name,
        image: c.spec.image,
        imageID: c.imageId,
        ...(c.id !== '' && { containerID: c.id }),
        ready: c.ready,
        started: c.started,
        restartCount: c.restarts,
        state: c.state,
        lastState: c.lastState,
      })),
    };
  }

  /** One write in flight per pod; the newest state wins. */
  write(): void {
    this.dirty = true;
    this.writing ??= this.writeAll();
  }
  private async writeAll(): Promise<void> {
    await Promise.resolve(); // what is set in the same turn goes out together
    while (this.dirty && !this.gone)
      await this.insist('status', () => {
        this.dirty = false;
        const status = { metadata: { uid: this.pod.metadata.uid }, status: this.status() };
        return this.host.api.call('PATCH', this.path('/status'), status, STRATEGIC_PATCH);
      });
    this.writing = undefined;
  }

  /** Again and again, as a kubelet does whose API server is away for a while. Meanwhile deleted or replaced is an answer. */
  private async insist(what: string, call: () => Promise<unknown>): Promise<void> {
    while (!this.gone) {
      try {
        await call();
        return;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return;
        this.host.log(`${what} of ${this.pod.metadata.name}: ${String(error)}`);
        if (error instanceof ApiError && error.status < 500 && !PASSING.has(error.status)) return;
        await sleep(500);
      }
    }
  }

  private event(reason: string, message: string, c: Running): void {
    const { namespace, name, uid } = this.pod.metadata,
      at = rfc3339();
    this.host.api
      .call('POST', `/api/v1/namespaces/${namespace}/events`, {
        metadata: { generateName: `${name}.`, namespace },
        type: 'Warning',
        reason,
        message,
        count: 1,
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid, fieldPath: `spec.containers{${c.spec.name}}` },
        firstTimestamp: at,
        lastTimestamp: at,
        source: { component: 'kubelet', host: this.pod.spec.nodeName },
        reportingComponent: 'kubelet',
      })
      .catch(() => undefined); // the namespace may be going away
  }

  /** What the kubelet's log endpoint answers for one container. */
  logs(container: string, query: URLSearchParams): { readonly status: number; readonly text: string } {
    const c = this.containers.find((x) => x.spec.name === container);
    if (c === undefined) return { status: 404, text: `container ${container} is not in pod ${this.pod.metadata.name}\n` };
    const previous = query.get('previous') === 'true';
    if (previous && c.lastState.terminated === undefined)
      return { status: 400, text: `previous terminated container "${container}" in pod "${this.pod.metadata.name}" not found` };
    if (c.id === '')
      return {
        status: 400,
        text: `container "${container}" in pod "${this.pod.metadata.name}" is waiting to start: ${c.state.waiting?.reason ?? ''}`,
      };
    // Of one that has ended it is the log of that run, asked for either way.
    const text = previous || c.state.terminated !== undefined ? (c.plan['previous-log'] ?? c.plan.log) : c.plan.log;
    const lines = text === undefined || text === '' ? [] : text.trimEnd().split('\n'),
      tail = query.get('tailLines');
    return {
      status: 200,
      text: (tail === null ? lines : Number(tail) === 0 ? [] : lines.slice(-Number(tail))).map((l) => `${l}\n`).join(''),
    };
  }
}
