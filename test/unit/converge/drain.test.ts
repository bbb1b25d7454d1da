import { problem, UserError } from '../../../src/shared/contract/errors.ts';
import { draining, type Drained } from '../../../src/shared/converge/drain.ts';
import { DRAINED_ANNOTATION } from '../../../src/shared/converge/drain-labels.ts';
import type { Change, ConvergePorts } from '../../../src/shared/converge/index.ts';
import type { PodRequest } from '../../../src/shared/converge/ports.ts';
import { readDrainMethod } from '../../../src/shared/bounce/index.ts';
import type { KubeObject, Pod } from '../../../src/shared/objects/types.ts';
import type { RenderedInstance } from '../../../src/shared/workload/index.ts';
import { recordingLog } from '../../support/recording.ts';
import { fakeCluster } from './fake-cluster.ts';

const LABEL = 'registrations.paasta.yelp.com/web.main';
const START = Date.parse('2026-01-01T00:00:00Z');

function pod(
  name: string,
  more: { labels?: Record<string, string>; phase?: string; containers?: readonly string[]; annotations?: Record<string, string> } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'apps',
      uid: `uid-${name}`,
      labels: { app: 'web', [LABEL]: 'true', ...more.labels },
      ...(more.annotations === undefined ? {} : { annotations: more.annotations }),
    },
    spec: { containers: (more.containers ?? ['main']).map((c) => ({ name: c, image: 'x' })) },
    status: { phase: more.phase ?? 'Running', podIP: '10.0.0.7' },
  };
}

const service = (name: string, selector: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'apps' },
  spec: { selector },
});
const REGISTRATION = service('web---main', { [LABEL]: 'true' });

interface World {
  readonly ports: ConvergePorts;
  readonly asked: string[];
  readonly patches: unknown[];
  readonly now: () => number;
  pod(name: string): Pod;
  /** What a pod answers. */
  answer: (request: PodRequest, name: string) => { status: number | undefined; body: string };
  /** The endpoint controller works. */
  controller: boolean;
}

/** A cluster whose endpoint controller follows the labels of pods; time runs as fast as it is slept. */
function world(pods: readonly Pod[], services: readonly KubeObject[] = [REGISTRATION]): World {
  const fake = fakeCluster([...pods, ...services]);
  const log = recordingLog();
  const abort = new AbortController();
  let now = START;
  const slices = (): KubeObject[] =>
    services.map((s) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${s.metadata.name}-1`, namespace: 'apps' },
      endpoints: [...fake.objects.values()]
        .filter(
          (o) =>
            o.kind === 'Pod' &&
            Object.entries(s.spec?.['selector'] as Record<string, string>).every(([k, v]) => o.metadata.labels?.[k] === v),
        )
        .map((o) => ({ targetRef: { kind: 'Pod', uid: o.metadata.uid as string }, conditions: { ready: true } })),
    }));
  const self: World = {
    asked: [],
    patches: [],
    controller: true,
    now: () => now,
    answer: () => ({ status: 200, body: '' }),
    pod: (name) => fake.objects.get(`Pod/apps/${name}`) as Pod,
    ports: {
      cluster: {
        ...fake,
        async patch(object, body) {
          const live = fake.objects.get(`Pod/apps/${object.metadata.name}`);
          if (live === undefined) throw Object.assign(new UserError(problem('NOT_FOUND', 'gone')), { status: 404 });
          const change = (body as { metadata: { labels: Record<string, string | null>; annotations: Record<string, string | null> } })
            .metadata;
          self.patches.push(change);
          const merged = (old: Record<string, string> | undefined, by: Record<string, string | null>): Record<string, string> =>
            Object.fromEntries(Object.entries({ ...old, ...by }).filter((e): e is [string, string] => e[1] !== null));
          const next = {
            ...live,
            metadata: {
              ...live.metadata,
              labels: merged(live.metadata.labels, change.labels),
              annotations: merged(live.metadata.annotations, change.annotations),
            },
          };
          fake.tell(next);
          if (self.controller) for (const slice of slices()) fake.tell(slice);
          return next;
        },
        async *watch(kind, options): AsyncGenerator<Change> {
          yield { type: 'reset', items: (await fake.list(kind)).items };
          yield* fake.watch(kind, options);
        },
        async podRequest(_namespace, name, request) {
          self.asked.push(
            `${name} ${request.method} ${request.scheme}:${request.port}${request.path}${request.form === undefined ? '' : ` ${JSON.stringify(request.form)}`}`,
          );
          return self.answer(request, name);
        },
      },
      versions: { deployments: () => Promise.reject(new Error('not asked')) },
      digests: undefined,
      log,
      signal: abort.signal,
      clock: {
        now: () => now,
        sleep: async (ms, signal) => {
          await new Promise((resolve) => {
            setTimeout(resolve, 1);
          });
          if (signal?.aborted === true) throw new Error('aborted');
          now += ms;
        },
      },
    },
  };
  for (const slice of slices()) fake.tell(slice);
  return self;
}

function rendered(method = 'noop', params: Record<string, unknown> = {}): RenderedInstance {
  const drain = { method: readDrainMethod(method, params as never, true).method, port: 8888, registrations: ['web.main'] };
  return { service: 'web', instance: 'main', drain } as unknown as RenderedInstance;
}

const HTTP = Object.fromEntries(
  ['drain', 'stop_draining', 'is_draining', 'is_safe_to_kill'].map((call) => [
    call,
    { url_format: `http://{host}:{port}/${call}?of={nerve_ns}`, method: call.startsWith('is_') ? 'GET' : 'POST', success_codes: '200' },
  ]),
);
const signal = (): AbortSignal => new AbortController().signal;
const drain = (w: World, pods: readonly Pod[], of = rendered()): Promise<readonly Drained[]> => draining(w.ports).drain(of, pods, signal());

describe('noop', () => {
  it('takes the registrations off and waits until the slices let go; the pod remembers what it had', async () => {
    const w = world([pod('a'), pod('b')]);
    expect(await drain(w, [w.pod('a')])).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.pod('a').metadata.labels).toEqual({ app: 'web' });
    expect(JSON.parse(w.pod('a').metadata.annotations?.[DRAINED_ANNOTATION] ?? '')).toEqual({
      at: '2026-01-01T00:00:00.000Z',
      labels: { [LABEL]: 'true' },
    });
    expect(w.pod('b').metadata.labels).toHaveProperty([LABEL]);
    expect(w.asked).toEqual([]);
  });

  it('may be done again by another run, without a write', async () => {
    const w = world([pod('a')]);
    await drain(w, [w.pod('a')]);
    const writes = w.patches.length;
    expect(await drain(w, [w.pod('a')])).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.patches).toHaveLength(writes);
  });

  it('says when the slices do not let go in time', async () => {
    const w = world([pod('a')]);
    w.controller = false;
    expect(await drain(w, [w.pod('a')])).toEqual([
      { pod: 'a', left: false, safe: true, note: 'its EndpointSlices still hold it after 30 s' },
    ]);
  });

  it('names a Service that selects by other labels and does not wait for it', async () => {
    const w = world([pod('a')], [REGISTRATION, service('by-hand', { app: 'web' })]);
    expect(await drain(w, [w.pod('a')])).toEqual([
      {
        pod: 'a',
        left: false,
        safe: true,
        note: 'Service by-hand selects it by other labels than registrations and sends it traffic until it ends',
      },
    ]);
    expect(w.now()).toBe(START);
  });

  it('takes pods that are gone or over for drained', async () => {
    const w = world([pod('done', { phase: 'Succeeded' })]);
    expect(await drain(w, [pod('gone'), w.pod('done')])).toEqual([
      { pod: 'gone', left: true, safe: true },
      { pod: 'done', left: true, safe: true },
    ]);
    expect(w.patches).toEqual([]);
  });

  it('writes nothing to pods without registrations', async () => {
    const w = world([], []);
    const plain = { ...pod('a'), metadata: { ...pod('a').metadata, labels: { app: 'web' } } };
    expect(await drain(w, [plain])).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.patches).toEqual([]);
  });

  it('stops at a missing right: pods that nobody may drain are not ended', async () => {
    const w = world([pod('a')]);
    w.ports.cluster.patch = () =>
      Promise.reject(Object.assign(new UserError(problem('CLUSTER_FORBIDDEN', 'may not patch pods')), { status: 403 }));
    await expect(drain(w, [w.pod('a')])).rejects.toThrow('may not patch pods');
  });
});

describe('http', () => {
  it('drains what is not draining, and waits until the pod says that it may go', async () => {
    const w = world([pod('a')]);
    let asks = 0;
    w.answer = ({ path }) => ({
      status: path.startsWith('/is_draining') ? 404 : path.startsWith('/is_safe') && ++asks < 3 ? 503 : 200,
      body: '',
    });
    expect(await drain(w, [w.pod('a')], rendered('http', HTTP))).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.asked).toEqual([
      'a GET http:8888/is_draining?of=web.main',
      'a POST http:8888/drain?of=web.main',
      ...Array.from({ length: 3 }, () => 'a GET http:8888/is_safe_to_kill?of=web.main'),
    ]);
  });

  it('does not drain twice what an earlier run drained', async () => {
    const w = world([pod('a')]);
    await drain(w, [w.pod('a')], rendered('http', HTTP));
    expect(w.asked).toEqual(['a GET http:8888/is_draining?of=web.main', 'a GET http:8888/is_safe_to_kill?of=web.main']);
  });

  it.each<[string, World['answer'], string]>([
    [
      'a drain that is refused',
      ({ path }) => ({ status: path.startsWith('/is_draining') ? 404 : 500, body: '' }),
      'the drain method could not be applied: drain: POST /drain?of=web.main on port 8888 answered 500, not 200',
    ],
    [
      'a pod that cannot be reached',
      () => ({ status: undefined, body: 'connection refused' }),
      'the drain method could not be applied: GET /is_draining?of=web.main on port 8888 was not answered: connection refused',
    ],
    [
      'a pod that falls silent',
      ({ path }) => ({ status: path.startsWith('/is_safe') ? undefined : 200, body: 'reset' }),
      'it cannot be asked whether it is drained: GET /is_safe_to_kill?of=web.main on port 8888 was not answered: reset',
    ],
    [
      'a pod that never lets go',
      ({ path }) => ({ status: path.startsWith('/is_safe') ? 409 : 200, body: '' }),
      'the drain method did not let it go within 600 s',
    ],
  ])('gives up with a note: %s', async (_name, answer, note) => {
    const w = world([pod('a')]);
    w.answer = answer;
    expect(await drain(w, [w.pod('a')], rendered('http', HTTP))).toEqual([{ pod: 'a', left: true, safe: false, note }]);
  });

  it('asks no pod that does not run', async () => {
    const w = world([pod('a', { phase: 'Pending' })]);
    expect(await drain(w, [w.pod('a')], rendered('http', HTTP))).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.asked).toEqual([]);
  });

  it('drains pods without registrations too, and notes it so that it can be taken back', async () => {
    const plain = { ...pod('a'), metadata: { ...pod('a').metadata, labels: { app: 'web' } } };
    const w = world([plain], []);
    await drain(w, [plain], rendered('http', HTTP));
    expect(w.pod('a').metadata.annotations).toHaveProperty([DRAINED_ANNOTATION]);
    w.asked.length = 0;
    await draining(w.ports).putBack(rendered('http', HTTP), [w.pod('a')], signal());
    expect(w.asked).toEqual(['a GET http:8888/is_draining?of=web.main', 'a POST http:8888/stop_draining?of=web.main']);
    expect(w.pod('a').metadata.annotations).toEqual({});
  });
});

describe('hacheck', () => {
  it('marks every registration down and waits for the delay', async () => {
    const w = world([pod('a', { containers: ['main', 'hacheck'] })]);
    let since: number | undefined;
    w.answer = ({ form }) => {
      if (form !== undefined) {
        since = w.now() / 1_000;
        return { status: 200, body: '' };
      }
      return since === undefined
        ? { status: 200, body: '' }
        : { status: 503, body: `Service web.main in down state since ${since.toFixed(3)}: Drained by Paasta` };
    };
    expect(await drain(w, [w.pod('a')], rendered('hacheck', { delay: 20 }))).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.asked[1]).toBe(
      `a POST http:6666/spool/web.main/8888/status {"status":"down","expiration":"${START / 1_000 + 200}","reason":"Drained by Paasta"}`,
    );
    expect(w.now() - START).toBeGreaterThan(20_000);
  });

  it('counts the delay out of the slices when there is no sidecar, from the first drain on', async () => {
    const w = world([pod('a')]);
    expect(await drain(w, [w.pod('a')], rendered('hacheck', { delay: 20 }))).toEqual([{ pod: 'a', left: true, safe: true }]);
    expect(w.now() - START).toBeGreaterThanOrEqual(20_000);
    const before = w.now();
    await drain(w, [w.pod('a')], rendered('hacheck', { delay: 20 }));
    expect(w.now()).toBe(before);
    expect(w.asked).toEqual([]);
  });
});

describe('putBack', () => {
  it('takes the drain back: the method first, then the labels', async () => {
    const w = world([pod('a'), pod('b')]);
    const { drain: begin, putBack } = draining(w.ports);
    await begin(rendered('http', HTTP), [w.pod('a')], signal());
    w.asked.length = 0;
    expect(await putBack(rendered('http', HTTP), [w.pod('a'), w.pod('b')], signal())).toEqual([
      { pod: 'a', left: true, safe: true },
      { pod: 'b', left: true, safe: true },
    ]);
    expect(w.asked).toEqual(['a GET http:8888/is_draining?of=web.main', 'a POST http:8888/stop_draining?of=web.main']);
    expect(w.pod('a').metadata.labels).toEqual({ app: 'web', [LABEL]: 'true' });
    expect(w.pod('a').metadata.annotations).toEqual({});
    expect(w.patches).toHaveLength(2);
  });

  it('says what did not come back', async () => {
    const w = world([pod('a')]);
    await draining(w.ports).drain(rendered('http', HTTP), [w.pod('a')], signal());
    w.controller = false;
    w.answer = ({ path }) => ({ status: path.startsWith('/stop') ? 500 : 200, body: '' });
    expect(await draining(w.ports).putBack(rendered('http', HTTP), [w.pod('a')], signal())).toEqual([
      {
        pod: 'a',
        left: false,
        safe: true,
        note: 'its EndpointSlices do not hold it again after 30 s; the drain could not be taken back: stop_draining: POST /stop_draining?of=web.main on port 8888 answered 500, not 200',
      },
    ]);
  });
});
