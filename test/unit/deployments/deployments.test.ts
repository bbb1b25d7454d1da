import {
  deploymentsFile,
  deploymentsFromFile,
  deploymentsFromRefs,
  generateDeployments,
  inByteOrder,
  peeledRefs,
  runningSince,
  type Ref,
} from '../../../src/shared/deployments/index.ts';
import { randomFrom } from '../../fuzz/mutate.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const tag = (name: string, sha: string): Ref => ({ name: `refs/tags/paasta-${name}`, sha });
const mark = (group: string, second: number, sha: string): Ref =>
  tag(`${group}-20240101T0000${String(second).padStart(2, '0')}-deploy`, sha);
const from = (...refs: Ref[]): ReturnType<typeof deploymentsFromRefs> => deploymentsFromRefs('web', inByteOrder(refs));

describe('from refs', () => {
  it('takes the newest mark', () => {
    expect(from(mark('prod', 1, A), mark('prod', 2, B)).version('prod')).toEqual({
      sha: B,
      imageVersion: null,
      dockerImage: `services-web:paasta-${B}`,
    });
    expect(from(tag('prod+v1-20240101T000001-deploy', A)).version('prod')).toEqual({
      sha: A,
      imageVersion: 'v1',
      dockerImage: `services-web:paasta-${A}-v1`,
    });
    expect(from().version('prod')).toBeUndefined();
  });

  it.each([
    ['prod.main', 'prodXmain'],
    ['a', 'a-b'],
    ['a-b', 'a'],
    ['b', 'a|b'],
    ['__proto__', 'prod'],
    ['constructor', 'prod'],
    ['toString', ''],
  ])('does not give group %j the marks of %j', (asked, marked) => {
    expect(from(mark(marked, 1, A)).version(asked)).toBeUndefined();
  });

  it.each(['a|b', 'a+1', 'a(b', '__proto__', 'constructor', 'a.b*'])('finds the marks of group %s', (group) => {
    expect(from(mark(group, 1, A)).version(group)?.sha).toBe(A);
  });

  it("lets the mark with an image version win in the same second, whatever the source's order was", () => {
    const refs = [mark('prod', 1, A), tag('prod+v1-20240101T000001-deploy', B)];
    expect(from(...refs).version('prod')?.sha).toBe(B);
    expect(from(...refs.reverse()).version('prod')?.sha).toBe(B);
  });

  it('dereferences annotated tags', () => {
    const refs = [mark('prod', 1, A), { name: `${mark('prod', 1, A).name}^{}`, sha: B }];
    expect(deploymentsFromRefs('web', refs).version('prod')?.sha).toBe(B);
    expect(peeledRefs(refs)).toEqual([mark('prod', 1, B)]);
  });

  it('warns once of tags that look like marks', () => {
    expect(
      from(tag('prod-2024-deploy', A), tag('prod-20240101T000000-deployed', A), { name: 'refs/tags/v1', sha: A }).problems,
    ).toMatchObject([{ severity: 'warning', code: 'MALFORMED_TAG', message: expect.stringContaining('2 tags') }]);
  });

  it('keeps rollback records of the commit, newest first', () => {
    expect(
      from(tag('prod-20240101T000001-rollback', A), tag('prod+v-20240101T000002-rollback', A), tag('prod-20240101T000003-rollback', B))
        .rollbacks('prod', A)
        .map((r) => r.timestamp),
    ).toEqual(['20240101T000002', '20240101T000001']);
  });
});

describe('start and stop', () => {
  const stop = (second: number, sha: string, branch = 'dev.main'): Ref =>
    tag(`${branch}-20240101T0000${String(second).padStart(2, '0')}-stop`, sha);
  const start = (second: number, sha: string): Ref => tag(`dev.main-20240101T0000${String(second).padStart(2, '0')}-start`, sha);
  const state = (...refs: Ref[]): string => from(...refs).control('dev.main', 'prod').desiredState;

  it('counts on the commit that runs', () => {
    expect(state(mark('prod', 1, A), stop(2, A))).toBe('stop');
    expect(state(mark('prod', 1, A), stop(2, A), start(3, A))).toBe('start');
    expect(state(mark('prod', 1, A), stop(2, B))).toBe('start');
    expect(state(mark('prod', 1, A), stop(2, A, 'devXmain'))).toBe('start');
    expect(from(mark('prod', 1, A), start(2, A)).control('dev.main', 'prod')).toEqual({
      desiredState: 'start',
      forceBounce: '20240101T000002',
    });
  });

  it('ends with a mark of another version and does not come back with the commit (PaaSTA would stop it again)', () => {
    const refs = [mark('prod', 1, A), stop(2, A), mark('prod', 3, B), mark('prod', 4, A)];
    expect(state(...refs)).toBe('start');
    expect(deploymentsFromRefs('web', inByteOrder(refs), { stopBindsTo: 'commit' }).control('dev.main', 'prod').desiredState).toBe('stop');
  });

  it('outlasts a mark of the same version', () => {
    expect(state(mark('prod', 1, A), stop(2, A), mark('prod', 4, A))).toBe('stop');
    expect(runningSince(from(mark('prod', 1, A), mark('prod', 4, A)).marks('prod'))).toBe('20240101T000001');
  });

  it('counts when its token is no timestamp', () => {
    expect(state(mark('prod', 1, A), mark('prod', 2, B), mark('prod', 3, A), tag('dev.main-123-stop', A))).toBe('stop');
  });

  it('works for clusters that are called paasta-…, and for tags with a doubled prefix', () => {
    const refs = [mark('prod', 1, A), stop(2, A, 'paasta-dev.main')];
    expect(from(...refs).control('paasta-dev.main', 'prod').desiredState).toBe('stop');
    expect(from(...refs).control('dev.main', 'prod').desiredState).toBe('stop');
  });
});

describe('deployments.json', () => {
  const instances = [
    { branch: 'dev.main', deployGroup: 'prod' },
    { branch: 'dev.10', deployGroup: '10' },
    { branch: 'dev.none', deployGroup: 'other' },
  ];
  const refs = inByteOrder([mark('prod', 1, A), mark('10', 1, B), tag('dev.main-20240101T000002-stop', A)]);
  const text =
    `{"v1": {"web:paasta-dev.main": {"docker_image": "services-web:paasta-${A}", "desired_state": "stop", "force_bounce": "20240101T000002"}, ` +
    `"web:paasta-dev.10": {"docker_image": "services-web:paasta-${B}", "desired_state": "start", "force_bounce": null}}, ` +
    `"v2": {"deployments": {"prod": {"docker_image": "services-web:paasta-${A}", "git_sha": "${A}", "image_version": null}, ` +
    `"10": {"docker_image": "services-web:paasta-${B}", "git_sha": "${B}", "image_version": null}}, ` +
    `"controls": {"web:dev.main": {"desired_state": "stop", "force_bounce": "20240101T000002"}, "web:dev.10": {"desired_state": "start", "force_bounce": null}}}}`;

  it('is written byte for byte as PaaSTA writes it, keys in their order', () => {
    expect(deploymentsFile(generateDeployments('web', instances, refs))).toEqual({ text, changed: true });
  });

  it('is not written again when the content is the same in another spelling', () => {
    const pretty = JSON.stringify(JSON.parse(text), null, 2);
    expect(deploymentsFile(generateDeployments('web', instances, refs), pretty)).toEqual({ text: pretty, changed: false });
    expect(deploymentsFile(generateDeployments('web', instances, refs), '{"v1": ').changed).toBe(true);
  });

  it('keeps what only a newer writer knows', () => {
    const newer = text
      .replace('"image_version": null}}', '"image_version": null, "digest": "sha256:1"}}')
      .replace('"v2": {', '"v3": {"x": 1}, "v2": {"extra": [], ');
    const written = JSON.parse(deploymentsFile(generateDeployments('web', instances, [...refs, mark('prod', 5, B)]), newer).text) as Record<
      string,
      Record<string, Record<string, unknown>>
    >;
    expect(written['v3']).toEqual({ x: 1 });
    expect(written['v2']?.['extra']).toEqual([]);
    expect(written['v2']?.['deployments']?.['10']).toMatchObject({ digest: 'sha256:1' });
    expect(written['v2']?.['deployments']?.['prod']).toMatchObject({ git_sha: B });
  });

  it('keeps it as it stands there: digits, order of keys, and what JSON of JavaScript would lose', () => {
    const foreign =
      '"of a newer writer": {"b": 1.0, "10": 12345678901234567890, "9": [1e-07, -0.0, NaN, "\\u00e9"], "__proto__": {"constructor": null}}';
    const newer = `${text.slice(0, -1)}, ${foreign}}`;
    const { text: written, changed } = deploymentsFile(generateDeployments('web', instances, [...refs, mark('prod', 5, B)]), newer);
    expect(changed).toBe(true);
    expect(written.endsWith(`, ${foreign}}`)).toBe(true);
    expect(deploymentsFile(generateDeployments('web', instances, refs), newer)).toEqual({ text: newer, changed: false });
  });

  it('says the same as the refs', () => {
    const file = deploymentsFromFile('web', text, 'web/deployments.json');
    expect(file.problems).toEqual([]);
    for (const group of ['prod', '10', 'other', '__proto__', 'constructor'])
      expect(file.version(group)).toEqual(deploymentsFromRefs('web', refs).version(group));
    expect(file.control('dev.main')).toEqual({ desiredState: 'stop', forceBounce: '20240101T000002' });
    expect(file.control('dev.never')).toEqual({ desiredState: 'start', forceBounce: null });
  });

  it.each<[string, string, string]>([
    ['truncated', text.slice(0, 200), '1:196 deployments.json ends in the middle: a double quote is opened and never closed'],
    ['truncated between entries', text.slice(0, 8), "1:9 deployments.json ends in the middle: a '{' is never closed"],
    ['empty', '', '1:1 deployments.json is empty'],
    ['not JSON', 'v2: {}', "1:1 deployments.json is not JSON: expected a value, found 'v2: {}'"],
    ['of two writers at once', '{"v1": {},\n "v2": {}}\n}', '3:1 deployments.json is not JSON: '],
    ['a list', '[]', '1:1 deployments.json is not a JSON object'],
    ['version 1 only', '{"v1": {}}', "1:1 deployments.json has only 'v1', which says neither commit nor deploy group"],
    ['something else', '{"v9": {}}', "1:1 deployments.json has no 'v2' mapping (found: 'v9')"],
    ['version 2 of another shape', '{\n "v2": []}', "2:2 deployments.json has no 'v2' mapping (found: 'v2')"],
    [
      'short sha',
      '{"v2": {"deployments":\n {"prod": {"docker_image": "x",\n "git_sha": "abc123"}}}}',
      "3:2 deploy group 'prod': git_sha 'abc123' is not a full commit id (40 lower-case hexadecimal digits)",
    ],
    [
      'no image',
      `{"v2": {"deployments": {\n"prod": {"git_sha": "${A}"}}}}`,
      "2:1 deploy group 'prod': docker_image is missing or not text",
    ],
    [
      'entry of another shape',
      '{"v2": {"deployments": {"prod": []},\n "controls": []}}',
      "1:25 deploy group 'prod': the entry is not a mapping\n2:2 'v2.controls' is not a mapping",
    ],
    [
      'unknown state',
      '{"v2": {"controls": {"web:dev.main":\n {"desired_state": "paused"}}}}',
      "2:3 control 'web:dev.main': desired_state 'paused' is neither 'start' nor 'stop'",
    ],
  ])('%s: says so on its line', (_name, content, said) => {
    const { problems, version } = deploymentsFromFile('web', content, 'web/deployments.json');
    expect(
      problems
        .map(({ line, column, message }) => `${String(line)}:${String(column)} ${message}`)
        .sort()
        .join('\n'),
    ).toContain(said);
    expect(problems.every((p) => p.file === 'web/deployments.json' && p.hint !== undefined)).toBe(true);
    expect(version('prod')).toBeUndefined();
  });

  it("gives a naive reader's answer on ten thousand random sets of refs", () => {
    const random = randomFrom(3);
    const groups = ['a', 'a-b', 'a+1', 'a.b', 'aXb'];
    const patterns = new Map(
      groups.map((group) => [group, new RegExp(`^refs/tags/paasta-${group.replace(/[.+]/g, '\\$&')}(?:\\+(.*))?-(\\d{8}T\\d{6})-deploy$`)]),
    );
    for (let round = 0; round < 10_000; round++) {
      const made = Array.from({ length: random(12) }, () =>
        tag(
          `${groups[random(5)]}${random(3) === 0 ? '+v' : ''}-20240101T00000${random(6)}-${random(4) === 0 ? 'rollback' : 'deploy'}`,
          random(2) === 0 ? A : B,
        ),
      );
      const some = inByteOrder([...new Map(made.map((ref) => [ref.name, ref])).values()]);
      const deployments = deploymentsFromRefs('web', some);
      for (const [group, pattern] of patterns) {
        const matches = some.flatMap((ref) => {
          const time = pattern.exec(ref.name)?.[2];
          return time === undefined ? [] : [{ ref, time }];
        });
        const best = matches.reduce<(typeof matches)[number] | undefined>(
          (winner, next) => (winner === undefined || next.time > winner.time ? next : winner),
          undefined,
        );
        // 50,000 comparisons: expect() is for the one that fails.
        const found = deployments.version(group)?.sha;
        const newest = best?.ref.name.replace('refs/tags/', '');
        if (deployments.marks(group)[0]?.tag !== newest || found !== best?.ref.sha)
          expect({ some, group, tag: deployments.marks(group)[0]?.tag, sha: found }).toEqual({
            some,
            group,
            tag: newest,
            sha: best?.ref.sha,
          });
      }
    }
  });
});
