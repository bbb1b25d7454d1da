/** Why one container cannot run. The doom list of design §5.17; a cause that usually passes by itself is not on it. */
import type { ContainerStatus, Event, Pod } from '../objects/types.ts';
import { eventTime } from './events.ts';
import { describeProbe, probeWindow, type Probe } from './probes.ts';
import { argument, plainText } from './text.ts';
import type { FailureCode } from './types.ts';

/** What is wrong with a pod, before it is known whether enough of them are doomed. */
export interface Doom {
  readonly code: FailureCode;
  readonly container?: string;
  readonly cause: string;
  readonly next: string;
  readonly log?: 'current' | 'previous';
  readonly inCommit: boolean;
}

/** Everything about one container of one pod. */
interface Scene {
  readonly pod: Pod;
  readonly status: ContainerStatus;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly init: boolean;
  /** The container that the commit's image runs in: only its crashes are the commit's. */
  readonly main: boolean;
  readonly events: readonly Event[];
  readonly now: number;
}

/** Restarts after which a crash is no accident. One crash at start (a database that is not up yet) recovers often enough. */
const CRASHES = 2;
/** A restarted container that stays up this long has recovered. */
const STAYS_UP = 10_000;
const NOT_FOUND = /not found|manifest unknown|name unknown|no such image|does not exist/i;
const DENIED = /denied|unauthorized|authoriz|forbidden|insufficient_scope|no basic auth|credentials/i;
const NO_SUCH_COMMAND = /executable file not found|no such file or directory|permission denied|exec format error|not a directory/i;
const CACHE_RACE = /failed to sync (?:secret|configmap) cache/i;

function where(scene: Scene): string {
  return `${scene.init ? 'init container' : 'container'} ${plainText(scene.status.name, 100)}`;
}

function command(scene: Scene, verb: string): string {
  return `kubectl -n ${argument(scene.pod.metadata.namespace ?? 'default')} ${verb}`;
}

function describePod(scene: Scene): string {
  return command(scene, `describe pod ${argument(scene.pod.metadata.name)}`);
}

function logs(scene: Scene, previous: boolean): string {
  return command(scene, `logs ${argument(scene.pod.metadata.name)} -c ${argument(scene.status.name)}${previous ? ' --previous' : ''}`);
}

function messages(scene: Scene, reasons: readonly string[]): string {
  return scene.events
    .filter((event) => reasons.includes(event.reason ?? ''))
    .map((event) => event.message ?? '')
    .join(' ');
}

function pullDoom(scene: Scene, reason: string, message: string): Doom {
  const image = plainText(
    scene.status.image === '' && typeof scene.spec['image'] === 'string' ? scene.spec['image'] : scene.status.image,
    300,
  );
  // Older kubelets say in the status only that they back off; the reason is then in the event.
  const text = `${message} ${messages(scene, ['Failed'])}`;
  if (NOT_FOUND.test(text) && !DENIED.test(text)) {
    return {
      code: 'IMAGE_NOT_FOUND',
      container: scene.status.name,
      cause: `The image ${image} of ${where(scene)} does not exist in the registry.`,
      next: scene.main
        ? 'Check that itest and push-to-registry ran for this commit and pushed to this registry, then deploy again.'
        : `Correct the image of ${where(scene)} in the configuration of the platform.`,
      inCommit: scene.main,
    };
  }
  const denied = DENIED.test(text);
  return {
    code: 'IMAGE_PULL_FAILED',
    container: scene.status.name,
    cause: `The node cannot pull the image ${image} of ${where(scene)} (${reason})${denied ? ': the registry refuses its credentials' : ''}: ${plainText(message === '' ? text : message, 300)}`,
    next: denied
      ? `Check the pull credentials of the node or of the namespace: ${describePod(scene)}`
      : `Check that the registry can be reached from the nodes: ${describePod(scene)}`,
    inCommit: false,
  };
}

/** `exit code 1`, `signal 11 (exit code 139)`. */
function exitText(code: number, signal: number | undefined): string {
  const number = signal !== undefined && signal > 0 ? signal : code > 128 && code <= 165 ? code - 128 : undefined;
  return number === undefined ? `exit code ${code}` : `signal ${number} (exit code ${code})`;
}

function livenessKill(scene: Scene): string | undefined {
  const kill = scene.events.findLast(
    (event) => /failed (?:liveness|startup) probe/i.test(event.message ?? '') && (event.message ?? '').includes(scene.status.name),
  );
  if (kill === undefined) return undefined;
  return (
    scene.events.findLast((event) => event.reason === 'Unhealthy' && /^(?:liveness|startup) probe/i.test(event.message ?? ''))?.message ??
    kill.message
  );
}

/** How often it has ended: `restartCount` says how often it began again, which it has not after its last end until it runs. */
export function endsOf({ restartCount, state, lastState }: ContainerStatus): number {
  const isDown = state?.terminated !== undefined || (state?.waiting !== undefined && lastState?.terminated !== undefined);
  return restartCount + (isDown ? 1 : 0);
}

function crashDoom(scene: Scene): Doom {
  const { status } = scene;
  const end = status.state?.terminated ?? status.lastState?.terminated;
  const times = `${endsOf(status)} times`;
  const shared = { container: status.name, log: status.state?.terminated === undefined ? ('previous' as const) : ('current' as const) };
  const look = `Read its last output: ${logs(scene, shared.log === 'previous')}`;
  if (end?.reason === 'OOMKilled') {
    const limits = scene.spec['resources'] as { readonly limits?: Readonly<Record<string, unknown>> } | undefined;
    const limit = limits?.limits?.['memory'];
    return {
      ...shared,
      code: 'OOM_KILLED',
      cause: `${where(scene)} was killed ${times} because it used more memory than its limit${typeof limit === 'string' || typeof limit === 'number' ? ` of ${plainText(String(limit), 40)}` : ''}.`,
      next: `Raise mem in soa-configs or use less memory. ${look}`,
      inCommit: scene.main,
    };
  }
  if (end?.reason === 'StartError' || end?.reason === 'ContainerCannotRun') return cannotRunDoom(scene, end.reason, end.message ?? '');
  const probeText = livenessKill(scene);
  if (probeText !== undefined && end !== undefined && [137, 143, 0].includes(end.exitCode)) {
    const probe = scene.spec['livenessProbe'] as Probe | undefined;
    return {
      ...shared,
      code: 'PROBE_FAILING',
      cause: `${where(scene)} was restarted ${status.restartCount} times because its liveness probe${probe === undefined ? '' : ` (${describeProbe(probe)})`} fails: ${plainText(probeText, 300)}`,
      next: `Check that the service answers there within its grace period. ${look}`,
      inCommit: scene.main,
    };
  }
  const how = end === undefined ? 'crashes' : `ends with ${exitText(end.exitCode, end.signal)}`;
  const said = end?.message === undefined || end.message === '' ? '' : `: ${plainText(end.message, 200)}`;
  const zero = end?.exitCode === 0 && !scene.init ? '; a service must keep running' : '';
  return {
    ...shared,
    code: 'CRASH_LOOP',
    cause: `${where(scene)} ${how}${zero}, ${times} so far${said}.`,
    next: `${look}, then fix the commit or deploy an older one.`,
    inCommit: scene.main,
  };
}

function cannotRunDoom(scene: Scene, reason: string, message: string): Doom {
  // Exit code 128 with other texts has been seen when a node is in trouble: not the commit's fault.
  const command = NO_SUCH_COMMAND.test(message);
  return {
    code: 'CONTAINER_CANNOT_RUN',
    container: scene.status.name,
    cause: `${where(scene)} cannot be started (${plainText(reason, 60)}): ${plainText(message === '' ? messages(scene, ['Failed']) : message, 400)}`,
    next: command
      ? `Check cmd, args and the entrypoint of the image (${plainText(scene.status.image, 200)}).`
      : `See what the node says: ${describePod(scene)}`,
    inCommit: scene.main && command,
  };
}

function configDoom(scene: Scene, reason: string, message: string): Doom {
  return {
    code: 'CONTAINER_CONFIG',
    container: scene.status.name,
    cause: `${where(scene)} cannot be made (${plainText(reason, 60)}): ${plainText(message === '' ? messages(scene, ['Failed', 'InspectFailed']) : message, 400)}`,
    next: /secret/i.test(message)
      ? `Create the secret in namespace ${plainText(scene.pod.metadata.namespace ?? 'default', 100)}, or correct its name in soa-configs: ${describePod(scene)}`
      : `Correct what the message names in soa-configs: ${describePod(scene)}`,
    inCommit: false,
  };
}

function waitingDoom(scene: Scene): Doom | undefined {
  const { waiting } = scene.status.state ?? {};
  if (waiting === undefined) return undefined;
  const [reason, message] = [waiting.reason ?? '', waiting.message ?? ''];
  switch (reason) {
    case 'ErrImagePull':
    case 'ImagePullBackOff':
    case 'RegistryUnavailable':
    case 'ImageInspectError':
      return pullDoom(scene, reason, message);
    case 'InvalidImageName':
    case 'ErrImageNeverPull':
    case 'CreateContainerConfigError':
      return CACHE_RACE.test(message) ? undefined : configDoom(scene, reason, message);
    case 'CrashLoopBackOff':
      return scene.status.restartCount >= CRASHES ? crashDoom(scene) : undefined;
    case 'RunContainerError':
    case 'CreateContainerError':
    case 'StartError':
    case 'ContainerCannotRun':
      return CACHE_RACE.test(message) ? undefined : cannotRunDoom(scene, reason, message);
    default:
      return undefined;
  }
}

/** Between two backoffs a crashing container is seen terminated, or running for a moment. */
function restartDoom(scene: Scene): Doom | undefined {
  const { state, lastState, restartCount, ready } = scene.status;
  if (state?.terminated !== undefined && !(scene.init && state.terminated.exitCode === 0) && restartCount >= CRASHES)
    return crashDoom(scene);
  if (state?.running === undefined || ready || lastState?.terminated === undefined || restartCount < CRASHES) return undefined;
  const up = scene.now - Date.parse(state.running.startedAt ?? '');
  return up < STAYS_UP ? crashDoom(scene) : undefined;
}

function probeDoom(scene: Scene): Doom | undefined {
  const { state, ready, started } = scene.status;
  if (state?.running === undefined || ready || scene.init) return undefined;
  const startup = scene.spec['startupProbe'] as Probe | undefined;
  const kind = startup !== undefined && started === false ? 'startup' : 'readiness';
  const probe = kind === 'startup' ? startup : (scene.spec['readinessProbe'] as Probe | undefined);
  if (probe === undefined) return undefined;
  const window = probeWindow(probe) + (kind === 'readiness' && startup !== undefined ? probeWindow(startup) : 0);
  // A pod that was ready and fails now gets its window anew: a short outage is no failed deploy.
  const lost = Date.parse(
    (scene.pod.status?.conditions ?? []).find((c) => c.type === 'Ready' && c.status === 'False')?.lastTransitionTime ?? '',
  );
  const since = Math.max(Date.parse(state.running.startedAt ?? ''), Number.isNaN(lost) ? -Infinity : lost);
  if (!(scene.now - since > window)) return undefined;
  const said = scene.events.findLast((event) => event.reason === 'Unhealthy' && eventTime(event) > 0);
  return {
    code: 'PROBE_FAILING',
    container: scene.status.name,
    cause: `${where(scene)} runs but its ${kind} probe (${describeProbe(probe)}) still fails after ${Math.round(window / 1_000)} s${said?.message === undefined ? '' : `: ${plainText(said.message, 300)}`}`,
    next: `Check that the service listens on that port and path, and that healthcheck_uri, container_port and the grace period in soa-configs fit. ${logs(scene, false)}`,
    log: 'current',
    inCommit: scene.main,
  };
}

/** The first cause that stops a pod; init containers come first, because nothing else runs before them. */
export function containerDoom(pod: Pod, mainContainer: string, events: readonly Event[], now: number): Doom | undefined {
  const specs = (list: unknown): readonly Readonly<Record<string, unknown>>[] =>
    Array.isArray(list) ? (list as readonly Readonly<Record<string, unknown>>[]) : [];
  const scenes = (statuses: readonly ContainerStatus[] | undefined, init: boolean): readonly Scene[] =>
    (statuses ?? []).map((status) => ({
      pod,
      status,
      spec: specs(init ? pod.spec['initContainers'] : pod.spec.containers).find((spec) => spec['name'] === status.name) ?? {},
      init,
      main: !init && status.name === mainContainer,
      events: events.filter(
        ({ involvedObject: { fieldPath } }) => fieldPath === undefined || fieldPath === '' || fieldPath.endsWith(`{${status.name}}`),
      ),
      now,
    }));
  // The main container first: when it and a sidecar fail, its failure is the one to mend.
  const containers = [...scenes(pod.status?.containerStatuses, false)].sort((a, b) => Number(b.main) - Number(a.main));
  const all = [...scenes(pod.status?.initContainerStatuses, true), ...containers];
  for (const rule of [waitingDoom, restartDoom, probeDoom]) {
    for (const scene of all) {
      const doom = rule(scene);
      if (doom !== undefined) return doom;
    }
  }
  return undefined;
}
