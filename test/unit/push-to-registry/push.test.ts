import { problem, UserError, type Problem } from '../../../src/shared/contract/errors.ts';
import { pushImages, type PushedImage, type PushDocker, type PushRequest } from '../../../src/push-to-registry/push.ts';

const REFERENCE = 'reg.example/services-web:paasta-abc-v1';
const LEGACY = 'reg.example/services-web:paasta-abc';
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
type Answer = Awaited<ReturnType<PushDocker['push']>>;
const refused = (code: string, transient: boolean): Answer => ({ ok: false, output: code, transient, problem: problem(code, code) });

interface Given {
  /** What the registry has. */
  readonly there?: Record<string, string>;
  readonly local?: boolean;
  readonly answers?: readonly Answer[];
  /** The registry does not show what was pushed. */
  readonly invisible?: boolean;
}

async function push(
  request: Partial<PushRequest>,
  { there = {}, local = true, answers = [], invisible = false }: Given = {},
): Promise<{ done: string[]; images: PushedImage[]; problems: Problem[]; pauses: number[]; error: string | undefined }> {
  const done: string[] = [];
  const images: PushedImage[] = [];
  const problems: Problem[] = [];
  const pauses: number[] = [];
  const held = new Map(Object.entries(there));
  const left = [...answers];
  const log = {
    debug: () => undefined,
    info: () => undefined,
    problem: (found: Problem) => problems.push(found),
    group: <T>(_: string, body: () => Promise<T>) => body(),
  };
  const docker: PushDocker = {
    requireEngine: () => Promise.resolve('26'),
    inspect: () => Promise.resolve(local ? { id: 'sha256:1', tags: [], digests: [], created: '', size: 1 } : undefined),
    tag: (source, target) => Promise.resolve(void done.push(`tag ${source} ${target}`)),
    push: (reference) => {
      done.push(`push ${reference}`);
      const answer = left.shift() ?? { ok: true, digest: digest('b') };
      if (answer.ok && !invisible) held.set(reference, digest('b'));
      return Promise.resolve(answer);
    },
  };
  const clock = { now: () => 0, sleep: (ms: number) => Promise.resolve(void pauses.push(ms)) };
  const registry = {
    resolveDigest: (reference: string) => Promise.resolve(held.has(reference) ? { digest: held.get(reference) as string } : undefined),
  };
  const whole: PushRequest = { reference: REFERENCE, legacyReference: undefined, force: false, timeout: 60_000, dryRun: false, ...request };
  let error: string | undefined;
  try {
    await pushImages(whole, { registry, docker, clock, log }, (image) => images.push(image));
  } catch (thrown) {
    if (!(thrown instanceof UserError)) throw thrown;
    error = thrown.problems[0]?.code;
  }
  return { done, images, problems, pauses, error };
}

describe('pushing', () => {
  it.each<[string, Partial<PushRequest>, Given, string[], [string, string][]]>([
    ['what is absent', {}, {}, [`push ${REFERENCE}`], [[REFERENCE, 'pushed']]],
    [
      'nothing that is there, and needs no local image for that',
      {},
      { there: { [REFERENCE]: digest('a') }, local: false },
      [],
      [[REFERENCE, 'already-present']],
    ],
    [
      'what is there, when forced',
      { force: true },
      { there: { [REFERENCE]: digest('a') } },
      [`push ${REFERENCE}`],
      [[REFERENCE, 'replaced']],
    ],
    [
      'the legacy tag first',
      { legacyReference: LEGACY },
      {},
      [`tag ${REFERENCE} ${LEGACY}`, `push ${LEGACY}`, `push ${REFERENCE}`],
      [
        [LEGACY, 'pushed'],
        [REFERENCE, 'pushed'],
      ],
    ],
    [
      'no legacy tag that is there: the local one keeps its name, too',
      { legacyReference: LEGACY },
      { there: { [LEGACY]: digest('a') } },
      [`push ${REFERENCE}`],
      [
        [LEGACY, 'already-present'],
        [REFERENCE, 'pushed'],
      ],
    ],
    [
      'nothing in a dry run',
      { legacyReference: LEGACY, dryRun: true, force: true },
      { there: { [LEGACY]: digest('a') } },
      [],
      [
        [LEGACY, 'would-replace'],
        [REFERENCE, 'would-push'],
      ],
    ],
  ])('%s', async (_, request, given, done, states) => {
    const result = await push(request, given);
    expect(result.error).toBeUndefined();
    expect(result.done).toEqual(done);
    expect(result.images.map(({ reference, state }) => [reference, state])).toEqual(states);
  });

  it('says which digest was replaced', async () => {
    expect((await push({ force: true }, { there: { [REFERENCE]: digest('a') } })).images).toEqual([
      { reference: REFERENCE, state: 'replaced', digest: digest('b'), replaced: digest('a') },
    ]);
  });

  it('needs a local image', async () => {
    expect(await push({}, { local: false })).toMatchObject({ error: 'LOCAL_IMAGE_MISSING', done: [] });
  });

  it('tries again what may pass, with doubling pauses, four times in all', async () => {
    const passing = refused('REGISTRY_UNREACHABLE', true);
    expect(await push({}, { answers: [passing, passing] })).toMatchObject({ error: undefined, pauses: [2_000, 4_000] });
    const never = await push({}, { answers: [passing, passing, passing, passing, passing] });
    expect(never).toMatchObject({ error: 'REGISTRY_UNREACHABLE', pauses: [2_000, 4_000, 8_000] });
    expect(never.done).toHaveLength(4);
  });

  it('does not try a refusal again, and reports what was pushed before it', async () => {
    const result = await push(
      { legacyReference: LEGACY },
      { answers: [{ ok: true, digest: digest('b') }, refused('REGISTRY_DENIED', false)] },
    );
    expect(result).toMatchObject({ error: 'REGISTRY_DENIED', pauses: [] });
    expect(result.images.map(({ reference }) => reference)).toEqual([LEGACY]);
  });

  it('does not believe docker when the registry does not have it', async () => {
    expect((await push({}, { invisible: true })).error).toBe('PUSH_NOT_VISIBLE');
  });

  it('says when another run pushed the same tag at the same moment', async () => {
    const result = await push({}, { answers: [{ ok: true, digest: digest('c') }] });
    expect(result.problems.map(({ code }) => code)).toEqual(['PUSH_OVERTAKEN']);
    expect(result.images[0]?.digest).toBe(digest('b'));
  });
});
