import { problem, UserError } from '../../../src/shared/contract/errors.ts';
import type { Clock, Log } from '../../../src/shared/contract/ports.ts';
import type { Ref } from '../../../src/shared/deployments/types.ts';
import { markDeployGroup, type CommitRelation, type MarkOutcome, type MarkRequest } from '../../../src/shared/marking/index.ts';
import { marksOf, rollbacksOf } from '../../../src/shared/marking/newest.ts';

const A = 'a1'.repeat(20);
const B = 'b2'.repeat(20);
const C = 'c3'.repeat(20);
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const TS = '20260102T030405';
const GROUP = 'prod.main';

/** A repository in memory. `history` lists commits oldest first; what is not in it has diverged. */
class Repository {
  readonly refs = new Map<string, string>();
  readonly history: readonly string[] = [A, B, C];
  /** Called before a tag is created: another run may be quicker. */
  before: (name: string, refs: Map<string, string>) => void = () => undefined;
  unknownAncestry = false;

  constructor(refs: Record<string, string> = {}) {
    for (const [name, sha] of Object.entries(refs)) this.refs.set(`refs/tags/${name}`, sha);
  }
  listRefs(prefix: string): Promise<readonly Ref[]> {
    return Promise.resolve([...this.refs].filter(([name]) => name.startsWith(prefix)).map(([name, sha]) => ({ name, sha })));
  }
  createTag(name: string, sha: string): Promise<'created' | 'exists'> {
    this.before(name, this.refs);
    if (this.refs.has(`refs/tags/${name}`)) return Promise.resolve('exists');
    this.refs.set(`refs/tags/${name}`, sha);
    return Promise.resolve('created');
  }
  relation(base: string, head: string): Promise<CommitRelation> {
    if (this.unknownAncestry) return Promise.resolve('unknown');
    const [b, h] = [this.history.indexOf(base), this.history.indexOf(head)];
    return Promise.resolve(b === -1 || h === -1 ? 'diverged' : b === h ? 'identical' : h > b ? 'ahead' : 'behind');
  }
  tags(): string[] {
    return [...this.refs.keys()].map((name) => name.slice('refs/tags/'.length)).sort();
  }
}

interface World {
  readonly repository: Repository;
  readonly asked: string[];
  mark(request?: Partial<MarkRequest>): Promise<MarkOutcome>;
}

function world(refs: Record<string, string> = {}, image: 'present' | 'absent' | 'late' = 'present'): World {
  const repository = new Repository(refs);
  const asked: string[] = [];
  const clock: Clock = { now: () => NOW, sleep: () => Promise.resolve() };
  const log: Log = { debug: () => undefined, info: () => undefined, problem: () => undefined, group: (_, body) => body() };
  const found = { digest: `sha256:${'d'.repeat(64)}` };
  const registry = {
    resolveDigest: (reference: string) => Promise.resolve((asked.push(reference), image === 'present' ? found : undefined)),
    waitFor: (reference: string, timeout: number) =>
      Promise.resolve((asked.push(`wait ${timeout} ${reference}`), image === 'absent' ? undefined : found)),
  };
  return {
    repository,
    asked,
    mark: (request = {}) =>
      markDeployGroup(
        {
          service: 'web',
          deployGroup: GROUP,
          version: { sha: B, imageVersion: null },
          knownGroups: [GROUP, 'prod.canary', 'dev'],
          uncheckedBecause: 'there is no soa-configs tree',
          configProblems: [],
          controlBranches: [],
          allowUnknownGroup: false,
          allowOlder: false,
          allowRolledBack: false,
          automated: true,
          image: { reference: 'reg.example/services-web:t', wait: 0, poll: 1_000 },
          dryRun: false,
          ...request,
        },
        { repository, registry, clock, log },
      ),
  };
}

const codes = (outcome: MarkOutcome): string[] => outcome.problems.map(({ code }) => code);
async function refusal(promise: Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof UserError) return { code: error.problems[0]?.code ?? '', text: error.message };
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a mark', () => {
  it('is a light tag on the commit, and says what ran before', async () => {
    const w = world({
      'paasta-prod.main-20250101T000000-deploy': A,
      'paasta-prod.main2-20250601T000000-deploy': C,
      'paasta-prodXmain-20250601T000000-deploy': C,
    });
    const outcome = await w.mark();
    expect(outcome).toMatchObject({
      tag: `paasta-prod.main-${TS}-deploy`,
      marked: true,
      relation: 'ahead',
      previous: { sha: A, imageVersion: null },
      digest: `sha256:${'d'.repeat(64)}`,
    });
    expect(w.repository.refs.get(`refs/tags/paasta-prod.main-${TS}-deploy`)).toBe(B);
    expect(outcome.problems).toEqual([]);
  });

  it('carries the image version', async () => {
    const w = world({ 'paasta-prod.main+20250101T000000-20250101T000000-deploy': B });
    const outcome = await w.mark({ version: { sha: B, imageVersion: '20260101T000000' } });
    expect(outcome).toMatchObject({
      tag: `paasta-prod.main+20260101T000000-${TS}-deploy`,
      previous: { sha: B, imageVersion: '20250101T000000' },
    });
  });

  it('has no predecessor the first time', async () => {
    expect(await world().mark()).toMatchObject({ marked: true, previous: undefined, relation: undefined });
  });

  it('is only told in a dry run', async () => {
    const w = world();
    expect(await w.mark({ dryRun: true })).toMatchObject({ marked: false, tag: `paasta-prod.main-${TS}-deploy` });
    expect(w.repository.tags()).toEqual([]);
  });
});

describe('the deploy group', () => {
  it('that no instance uses is refused, with near names', async () => {
    const w = world();
    const { code, text } = await refusal(w.mark({ deployGroup: 'prod.mian' }));
    expect(code).toBe('UNKNOWN_DEPLOY_GROUP');
    expect(text).toContain("no instance of web uses the deploy group 'prod.mian'");
    expect(text).toContain("did you mean 'prod.main'? known: dev, prod.canary, prod.main");
    expect(w.repository.tags()).toEqual([]);
    expect(w.asked).toEqual([]);
  });

  it('may stand in a file that could not be read, which is said, too', async () => {
    const { text } = await refusal(
      world().mark({
        deployGroup: 'prod.new',
        configProblems: [problem('YAML_SYNTAX', 'a bracket is missing', { file: 'web/kubernetes-prod.yaml', line: 3 })],
      }),
    );
    expect(text).toContain('web/kubernetes-prod.yaml:3: a bracket is missing');
  });

  it('may be marked ahead of its instances when told so, with a warning', async () => {
    const outcome = await world().mark({ deployGroup: 'prod.mian', allowUnknownGroup: true });
    expect(outcome.marked).toBe(true);
    expect(codes(outcome)).toEqual(['UNKNOWN_DEPLOY_GROUP']);
  });

  it('cannot be checked without soa-configs: that is not "known"', async () => {
    expect((await refusal(world().mark({ deployGroup: 'anything', knownGroups: undefined }))).code).toBe('DEPLOY_GROUP_UNCHECKED');
    const outcome = await world().mark({ deployGroup: 'anything', knownGroups: undefined, allowUnknownGroup: true });
    expect(outcome.marked).toBe(true);
    expect(codes(outcome)).toEqual(['DEPLOY_GROUP_UNCHECKED']);
  });
});

describe('the image', () => {
  it('must be in the registry before anything is written', async () => {
    const w = world({}, 'absent');
    const { code, text } = await refusal(w.mark());
    expect(code).toBe('IMAGE_NOT_FOUND');
    expect(text).toMatch(/reg\.example\/services-web:t is not in the registry, so web cannot be marked/);
    expect(w.repository.tags()).toEqual([]);
  });

  it('is waited for', async () => {
    const w = world({}, 'late');
    expect((await w.mark({ image: { reference: 'r', wait: 60_000, poll: 5_000 } })).marked).toBe(true);
    expect(w.asked).toEqual(['r', 'wait 60000 r']);
    expect((await refusal(world({}, 'absent').mark({ image: { reference: 'r', wait: 60_000, poll: 5_000 } }))).text).toContain(
      'after 1m 0s',
    );
  });

  it('is not asked for when told so', async () => {
    const w = world({}, 'absent');
    expect((await w.mark({ image: undefined })).marked).toBe(true);
    expect(w.asked).toEqual([]);
  });
});

describe('the same version again', () => {
  const refs = { 'paasta-prod.main-20250101T000000-deploy': A, 'paasta-prod.main-20250202T000000-deploy': B };

  it('writes nothing, and says the same as the first time', async () => {
    const w = world(refs);
    expect(await w.mark()).toMatchObject({ marked: false, tag: 'paasta-prod.main-20250202T000000-deploy', previous: { sha: A } });
    expect(w.repository.tags()).toHaveLength(2);
  });

  it('is another version when the image version differs', async () => {
    expect((await world(refs).mark({ version: { sha: B, imageVersion: 'v2' } })).marked).toBe(true);
  });

  it('is marked again when something else ran meanwhile', async () => {
    expect((await world(refs).mark({ version: { sha: A, imageVersion: null }, automated: false })).marked).toBe(true);
  });

  it.each([
    ['stopped under this mark', { 'paasta-eu.main-20250203T000000-stop': B }, ['eu.main']],
    ['stopped and started again', { 'paasta-eu.main-20250203T000000-stop': B, 'paasta-eu.main-20250204T000000-start': B }, []],
    ['stopped under another commit', { 'paasta-eu.main-20250203T000000-stop': A }, []],
    ['stopped before another version was marked', { 'paasta-eu.main-20241231T000000-stop': B }, []],
  ])('%s: says who stays stopped', async (_, more, stopped) => {
    const outcome = await world({ ...refs, ...more }).mark({ controlBranches: ['eu.main', 'us.main'] });
    expect(outcome.stopped).toEqual(stopped);
    expect(codes(outcome)).toEqual(stopped.map(() => 'STILL_STOPPED'));
  });
});

describe('going back', () => {
  const refs = { 'paasta-prod.main-20250101T000000-deploy': C };

  it('is refused to automation', async () => {
    const w = world(refs);
    const { code, text } = await refusal(w.mark());
    expect(code).toBe('OLDER_COMMIT');
    expect(text).toContain(`${B.slice(0, 8)} is older than ${C.slice(0, 8)}, which prod.main runs`);
    expect(w.repository.tags()).toHaveLength(1);
    // the registry is asked at the same time as the repository; its answer changes nothing here
    expect(w.asked).toEqual(['reg.example/services-web:t']);
  });

  it.each([
    ['to automation that is told so', { allowOlder: true }],
    ['to a person', { automated: false }],
  ])('is allowed %s, and said loudly', async (_, more) => {
    const outcome = await world(refs).mark(more);
    expect(outcome).toMatchObject({ marked: true, relation: 'behind' });
    expect(codes(outcome)).toEqual(['OLDER_COMMIT']);
    expect(outcome.problems[0]?.message).toContain('goes BACK');
  });

  it('is not what a diverged commit does', async () => {
    const outcome = await world({ 'paasta-prod.main-20250101T000000-deploy': 'e5'.repeat(20) }).mark();
    expect(outcome).toMatchObject({ marked: true, relation: 'diverged', problems: [] });
  });

  it('cannot be known when the server cannot compare, which is said', async () => {
    const w = world(refs);
    w.repository.unknownAncestry = true;
    expect(codes(await w.mark())).toEqual(['UNKNOWN_ANCESTRY']);
  });

  it('to an older image version of the same commit is said', async () => {
    expect(codes(await world({ 'paasta-prod.main+20250101T000000-20250101T000000-deploy': B }).mark())).toEqual(['OLDER_IMAGE_VERSION']);
  });
});

describe('a commit that was rolled back', () => {
  const refs = { 'paasta-prod.main-20250101T000000-deploy': A, 'paasta-prod.main+v1-20250102T000000-rollback': B };

  it.each([true, false])('is refused (automated: %s)', async (automated) => {
    const { code, text } = await refusal(world(refs).mark({ automated }));
    expect(code).toBe('ROLLED_BACK_COMMIT');
    expect(text).toContain('was rolled back from prod.main (20250102T000000)');
  });

  it('is marked when told so', async () => {
    expect(codes(await world(refs).mark({ allowRolledBack: true }))).toEqual(['ROLLED_BACK_COMMIT']);
  });

  it('may go to another group, and another commit may follow it', async () => {
    expect((await world(refs).mark({ deployGroup: 'prod.canary' })).marked).toBe(true);
    expect((await world(refs).mark({ version: { sha: C, imageVersion: null } })).marked).toBe(true);
  });
});

describe('two runs at once', () => {
  it('never force: a taken name means the next second', async () => {
    const w = world();
    let once = false;
    w.repository.before = (name, refs) => {
      if (!once) refs.set(`refs/tags/${name}`, A);
      once = true;
    };
    const outcome = await w.mark();
    expect(outcome).toMatchObject({ marked: true, tag: 'paasta-prod.main-20260102T030406-deploy' });
    expect(w.repository.refs.get(`refs/tags/paasta-prod.main-${TS}-deploy`)).toBe(A);
  });

  it('come after a mark of the same second with another image version, which has another name', async () => {
    const w = world({ [`paasta-prod.main+v1-${TS}-deploy`]: A });
    expect((await w.mark()).tag).toBe('paasta-prod.main-20260102T030406-deploy');
  });

  it('come after a mark of a clock that runs ahead, with a warning', async () => {
    const w = world({ 'paasta-prod.main-20260102T040000-deploy': A });
    const outcome = await w.mark();
    expect(outcome.tag).toBe('paasta-prod.main-20260102T040001-deploy');
    expect(codes(outcome)).toEqual(['CLOCK_SKEW']);
  });

  it('that mark the same version write one tag', async () => {
    const w = world();
    w.repository.before = (name, refs) => void refs.set(`refs/tags/${name}`, B);
    expect(await w.mark()).toMatchObject({ marked: false, tag: `paasta-prod.main-${TS}-deploy` });
    expect(w.repository.tags()).toHaveLength(1);
  });

  it('read again: the one with the older commit is refused', async () => {
    const w = world();
    w.repository.before = (name, refs) => void refs.set(`refs/tags/${name}`, C);
    expect((await refusal(w.mark())).code).toBe('OLDER_COMMIT');
    expect(w.repository.tags()).toHaveLength(1);
  });

  it('end after five tries', async () => {
    const w = world();
    w.repository.before = (name, refs) => void refs.set(`refs/tags/${name}`, A);
    expect((await refusal(w.mark())).code).toBe('TAG_COLLISION');
    expect(w.repository.tags()).toHaveLength(5);
  });

  it('leave the newer commit in force, though the older one wrote last', async () => {
    const w = world();
    let once = false;
    // The other run reads before us and writes a second before us, under a name that does not collide.
    w.repository.before = (_, refs) => {
      if (!once) refs.set('refs/tags/paasta-prod.main-20260102T030404-deploy', C);
      once = true;
    };
    const outcome = await w.mark();
    expect(codes(outcome)).toEqual(['MARK_SUPERSEDED']);
    expect(outcome.supersededBy).toMatchObject({ sha: C, tag: 'paasta-prod.main-20260102T030406-deploy' });
    expect(marksOf(await w.repository.listRefs('refs/tags/'), GROUP)[0]?.sha).toBe(C);
  });

  it('leave the later mark in force when a person goes back', async () => {
    const w = world();
    w.repository.before = (_, refs) => void refs.set('refs/tags/paasta-prod.main-20260102T030404-deploy', C);
    const outcome = await w.mark({ automated: false });
    expect(outcome.supersededBy).toBeUndefined();
    expect(marksOf(await w.repository.listRefs('refs/tags/'), GROUP)[0]?.sha).toBe(B);
  });

  it('say when the other mark prevails', async () => {
    const w = world();
    w.repository.before = (_, refs) => void refs.set('refs/tags/paasta-prod.main-20260102T030409-deploy', C);
    expect((await w.mark()).supersededBy).toMatchObject({ sha: C });
  });
});

describe('reading tags', () => {
  const ref = (name: string, sha = A): Ref => ({ name: `refs/tags/${name}`, sha });

  it('takes the first in byte order of two of one second', () => {
    expect(
      marksOf([ref('paasta-g-20250101T000000-deploy', A), ref('paasta-g+v1-20250101T000000-deploy', B)], 'g').map(({ sha }) => sha),
    ).toEqual([B, A]);
  });

  it.each([
    'paasta-paasta-g-20250101T000000-deploy',
    'paasta-g-20250101T000000-deploy^{}',
    'paasta-g.x-20250101T000000-deploy',
    'g-20250101T000000-deploy',
    'paasta-g-20250101T000000-rollback',
    'paasta-g-x-20250101T000000-deploy',
  ])('%s is no mark of g', (name) => {
    expect(marksOf([ref(name)], 'g')).toEqual([]);
  });

  it('finds rollbacks of the commit only, newest first', () => {
    const refs = [
      ref('paasta-g-20250101T000000-rollback'),
      ref('paasta-g+v-20250102T000000-rollback'),
      ref('paasta-g-20250103T000000-rollback', B),
      ref('paasta-gg-20250104T000000-rollback'),
    ];
    expect(rollbacksOf(refs, 'g', A)).toEqual(['20250102T000000', '20250101T000000']);
  });
});
