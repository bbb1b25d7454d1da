/** The drain method of an instance, asked of its pods through the API server. Upstream: `HacheckDrainMethod`, `HTTPDrainMethod` of drain_lib.py. */
import {
  downForm,
  isDrainingInHacheck,
  isSafeInHacheck,
  isSuccessCode,
  podUrl,
  spoolState,
  spoolUrl,
  UP_FORM,
  type HacheckParams,
  type HttpDrainCall,
  type PodUrl,
  type SpoolState,
  type UrlSpec,
} from '../bounce/index.ts';
import { CancelledError, UserError } from '../contract/errors.ts';
import { PROXY_VERBS, type KubeObject, type Pod } from '../objects/types.ts';
import type { RenderedInstance } from '../workload/index.ts';
import { drainedAt } from './drain-labels.ts';
import { pooled } from './pool.ts';
import { statusOf, type ConvergePorts, type PodRequest } from './ports.ts';

/** The pod did not answer as it should; upstream such a pod is ended. */
export class NotAnswered extends Error {}

/** What a drain method can do with one pod. Throws `NotAnswered`, `UserError` for a missing right, `CancelledError`. */
export interface PodDrain {
  drain(pod: Pod): Promise<void>;
  stopDraining(pod: Pod): Promise<void>;
  isDraining(pod: Pod): Promise<boolean>;
  isSafeToKill(pod: Pod): Promise<boolean>;
  /** Milliseconds after which the pod is ended whatever the method says. */
  readonly limit: number;
}

/** Milliseconds that a pod may take to answer. */
const HTTP_ANSWER = 15_000;
const HACHECK_ANSWER = 10_000;
/** Upstream waits for ever. */
const HTTP_LIMIT = 600_000;
/** Beyond the delay: clocks differ. */
const HACHECK_SPARE = 30_000;
const SIDECAR = 'hacheck';
const PAUSE = 1_000;
/** Questions in a row that may go unanswered. */
const UNANSWERED = 3;
/** Requests in flight. */
const WIDTH = 8;

type Ask = (
  pod: Pod,
  url: PodUrl,
  request: Pick<PodRequest, 'method' | 'form'>,
) => Promise<{ readonly status: number; readonly body: string }>;

function asking(ports: ConvergePorts, limit: number, signal: AbortSignal): Ask {
  return async (pod, url, request) => {
    const late = new AbortController();
    const timer = ports.clock.sleep(limit, AbortSignal.any([signal, late.signal])).then(
      () => late.abort(),
      () => undefined,
    );
    const what = `${request.method} ${url.path} on port ${url.port}`;
    try {
      const { status, body } = await ports.cluster.podRequest(
        pod.metadata.namespace ?? '',
        pod.metadata.name,
        { ...url, ...request },
        AbortSignal.any([signal, late.signal]),
      );
      if (status === undefined) throw new NotAnswered(`${what} was not answered: ${body}`);
      return { status, body };
    } catch (error) {
      if (signal.aborted) throw new CancelledError();
      if (late.signal.aborted) throw new NotAnswered(`${what} was not answered within ${limit / 1_000} s`);
      throw error;
    } finally {
      late.abort();
      await timer;
    }
  };
}

function http(
  rendered: RenderedInstance,
  registrations: readonly string[],
  port: number,
  calls: Readonly<Record<HttpDrainCall, UrlSpec>>,
  ask: Ask,
): PodDrain {
  const call = async (pod: Pod, name: HttpDrainCall): Promise<{ readonly accepted: boolean; readonly said: string }> => {
    const { url: format, method, successCodes } = calls[name];
    for (const registration of registrations) {
      const url = podUrl(format, {
        host: pod.status?.podIP ?? '',
        port,
        service: rendered.service,
        instance: rendered.instance,
        nerve_ns: registration,
      });
      const { status } = await ask(pod, url, { method });
      if (!isSuccessCode(successCodes, status))
        return { accepted: false, said: `${name}: ${method} ${url.path} on port ${url.port} answered ${status}, not ${successCodes}` };
    }
    return { accepted: true, said: '' };
  };
  const must = async (pod: Pod, name: HttpDrainCall): Promise<void> => {
    const { accepted, said } = await call(pod, name);
    if (!accepted) throw new NotAnswered(said);
  };
  return {
    drain: (pod) => must(pod, 'drain'),
    stopDraining: (pod) => must(pod, 'stop_draining'),
    isDraining: async (pod) => (await call(pod, 'is_draining')).accepted,
    isSafeToKill: async (pod) => (await call(pod, 'is_safe_to_kill')).accepted,
    limit: HTTP_LIMIT,
  };
}

function hacheck(registrations: readonly string[], port: number, params: HacheckParams, ask: Ask, now: () => number): PodDrain {
  const states = async (pod: Pod): Promise<readonly SpoolState[]> => {
    const found: SpoolState[] = [];
    for (const registration of registrations) {
      const { status, body } = await ask(pod, spoolUrl(params, registration, port), { method: 'GET' });
      found.push(spoolState(status, body));
    }
    return found;
  };
  const spool = async (pod: Pod, form: Readonly<Record<string, string>>): Promise<void> => {
    for (const registration of registrations) {
      const url = spoolUrl(params, registration, port);
      const { status } = await ask(pod, url, { method: 'POST', form });
      if (status >= 400) throw new NotAnswered(`POST ${url.path} on port ${url.port} (${form['status'] ?? ''}) answered ${status}`);
    }
  };
  return {
    drain: (pod) => spool(pod, downForm(params, now())),
    stopDraining: (pod) => spool(pod, UP_FORM),
    isDraining: async (pod) => isDrainingInHacheck(await states(pod)),
    isSafeToKill: async (pod) => isSafeInHacheck(await states(pod), params, now()),
    limit: params.delay * 1_000 + HACHECK_SPARE,
  };
}

/** Without a sidecar the EndpointSlices are what hacheck was: the pod is safe when it has been out of them for the delay. */
function delayed({ delay }: HacheckParams, now: () => number): PodDrain {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    drain: nothing,
    stopDraining: nothing,
    isDraining: (pod) => Promise.resolve(drainedAt(pod) !== undefined),
    isSafeToKill: (pod) => Promise.resolve(now() - (drainedAt(pod) ?? now()) >= delay * 1_000),
    limit: delay * 1_000 + HACHECK_SPARE,
  };
}

/** The method for one pod; `undefined` when it asks for nothing beyond leaving the EndpointSlices. */
export function podDrain(rendered: RenderedInstance, pod: Pod, ports: ConvergePorts, signal: AbortSignal): PodDrain | undefined {
  const settings = rendered.drain;
  if (settings === undefined) return undefined;
  const { method, port, registrations } = settings;
  const now = (): number => ports.clock.now();
  if (method.kind === 'http') return http(rendered, registrations, port, method.calls, asking(ports, HTTP_ANSWER, signal));
  if (method.kind === 'noop') return undefined;
  if (asksSidecar(pod.spec)) return hacheck(registrations, port, method.params, asking(ports, HACHECK_ANSWER, signal), now);
  return method.params.wantsDelay ? delayed(method.params, now) : undefined;
}

function asksSidecar({ containers }: { readonly containers?: readonly { readonly name?: unknown }[] }): boolean {
  return containers?.some(({ name }) => name === SIDECAR) === true;
}

/** What the method needs to be allowed on `pods/proxy` to drain the pods of an old workload, and to take that back. */
export function verbsOfDrain({ drain }: Pick<RenderedInstance, 'drain'>, old: KubeObject): readonly string[] {
  const method = drain?.method;
  if (method === undefined || method.kind === 'noop') return [];
  if (method.kind === 'http') return [...new Set(Object.values(method.calls).map((call) => PROXY_VERBS[call.method]))].sort();
  const template = old.spec?.['template'] as { readonly spec?: Parameters<typeof asksSidecar>[0] } | undefined;
  return asksSidecar(template?.spec ?? {}) ? [PROXY_VERBS.POST, PROXY_VERBS.GET] : [];
}

/** How the method ended for a pod: `note` says why it is not safe. */
export interface MethodResult {
  readonly safe: boolean;
  readonly note?: string;
}

interface Draining {
  readonly pod: Pod;
  readonly method: PodDrain;
  readonly deadline: number;
  silent: number;
  result: MethodResult | undefined;
}

/** `undefined`: the pod is gone. */
async function tried<T>(body: () => Promise<T>): Promise<T | { readonly failed: string } | undefined> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof NotAnswered) return { failed: error.message };
    if (error instanceof UserError && statusOf(error) === 404) return undefined;
    throw error;
  }
}

const isFailed = (value: unknown): value is { readonly failed: string } => typeof value === 'object' && value !== null && 'failed' in value;

/** Drains pods that are not draining yet, then asks until the method lets them go. */
export async function drainByMethod(
  methods: ReadonlyMap<Pod, PodDrain>,
  ports: ConvergePorts,
  signal: AbortSignal,
): Promise<ReadonlyMap<Pod, MethodResult>> {
  const all = [...methods].map(([pod, method]): Draining => ({
    pod,
    method,
    deadline: ports.clock.now() + method.limit,
    silent: 0,
    result: undefined,
  }));
  await pooled(all, WIDTH, async (one) => {
    const begun = await tried(async () => (await one.method.isDraining(one.pod)) || one.method.drain(one.pod).then(() => true));
    if (begun === undefined) one.result = { safe: true };
    else if (isFailed(begun)) one.result = { safe: false, note: `the drain method could not be applied: ${begun.failed}` };
  });
  for (;;) {
    await pooled(
      all.filter(({ result }) => result === undefined),
      WIDTH,
      async (one) => {
        const safe = await tried(() => one.method.isSafeToKill(one.pod));
        one.silent = isFailed(safe) ? one.silent + 1 : 0;
        if (safe === undefined || safe === true) one.result = { safe: true };
        else if (isFailed(safe) && one.silent >= UNANSWERED)
          one.result = { safe: false, note: `it cannot be asked whether it is drained: ${safe.failed}` };
        else if (ports.clock.now() >= one.deadline)
          one.result = { safe: false, note: `the drain method did not let it go within ${one.method.limit / 1_000} s` };
      },
    );
    if (all.every(({ result }) => result !== undefined)) return new Map(all.map(({ pod, result }) => [pod, result ?? { safe: true }]));
    await ports.clock.sleep(PAUSE, signal);
  }
}

/** Takes pods that are draining back into service. */
export async function undoByMethod(methods: ReadonlyMap<Pod, PodDrain>): Promise<ReadonlyMap<Pod, string>> {
  const notes = new Map<Pod, string>();
  await pooled([...methods], WIDTH, async ([pod, method]) => {
    const undone = await tried(async () => (await method.isDraining(pod)) && method.stopDraining(pod).then(() => true));
    if (isFailed(undone)) notes.set(pod, `the drain could not be taken back: ${undone.failed}`);
  });
  return notes;
}
