import { UserError, problem } from '../../../src/shared/contract/errors.ts';
import { deploymentsFromRefs, inByteOrder, type Ref } from '../../../src/shared/deployments/index.ts';
import {
  controlEffect,
  controlInstances,
  markDeployGroup,
  selectControlled,
  sharedControls,
  type ControlOutcome,
  type ControlRequest,
  type ControlTarget,
  type MarkOutcome,
} from '../../../src/shared/marking/index.ts';
import { loadSoaConfigs, othersOfRepository, systemConfigOf } from '../../../src/shared/soa-configs/index.ts';
import { memoryTree } from '../../support/memory-tree.ts';

const A = 'a1'.repeat(20);
const B = 'b2'.repeat(20);
const MAIN = { cluster: 'prod', instance: 'main', deployGroup: 'prod.all' };
const CANARY = { cluster: 'prod', instance: 'canary', deployGroup: 'prod.canary' };
const NOW = '20260102T030405';

/** A repository in memory, and a clock that stands still unless it is moved. */
function world(refs: Record<string, string> = { 'paasta-prod.all-20260101T000000-deploy': A }) {
  const tags = new Map(Object.entries(refs).map(([name, sha]) => [`refs/tags/${name}`, sha]));
  const said: string[] = [];
  const asked: string[] = [];
  const state = { now: Date.UTC(2026, 0, 2, 3, 4, 5), before: (_name: string): void => undefined, refuse: '' };
  const repository = {
    listRefs: (prefix: string) =>
      Promise.resolve(
        (asked.push(prefix), [...tags].filter(([name]) => name.startsWith(prefix)).map(([name, sha]): Ref => ({ name, sha }))),
      ),
    createTag: (name: string, sha: string): Promise<'created' | 'exists'> => {
      state.before(name);
      if (state.refuse !== '' && name.includes(state.refuse))
        return Promise.reject(new UserError(problem('GITHUB_PERMISSION_MISSING', 'the token may not write')));
      if (tags.has(`refs/tags/${name}`)) return Promise.resolve('exists');
      tags.set(`refs/tags/${name}`, sha);
      return Promise.resolve('created');
    },
    relation: () => Promise.resolve('ahead' as const),
  };
  const log = {
    debug: () => undefined,
    info: (text: string) => void said.push(text),
    problem: () => undefined,
    group: <T>(_: string, body: () => Promise<T>) => body(),
  };
  const clock = { now: () => state.now, sleep: () => Promise.resolve() };
  return {
    state,
    said,
    asked,
    tags,
    names: () => [...tags.keys()].map((name) => name.slice('refs/tags/paasta-'.length)).sort(),
    do: (verb: ControlRequest['verb'], request: Partial<ControlRequest> = {}): Promise<ControlOutcome> =>
      controlInstances(
        { service: 'web', verb, targets: [MAIN], stopBindsTo: 'mark', dryRun: false, ...request },
        { repository, place: 'acme/web', clock, log },
      ),
    mark: (sha: string, imageVersion: string | null = null): Promise<MarkOutcome> =>
      markDeployGroup(
        {
          service: 'web',
          deployGroup: 'prod.all',
          version: { sha, imageVersion },
          knownGroups: ['prod.all'],
          uncheckedBecause: '',
          configProblems: [],
          controlBranches: ['prod.main'],
          allowUnknownGroup: false,
          allowOlder: false,
          allowRolledBack: false,
          automated: false,
          image: undefined,
          dryRun: false,
        },
        {
          repository,
          registry: { resolveDigest: () => Promise.resolve(undefined), waitFor: () => Promise.resolve(undefined) },
          clock,
          log,
        },
      ),
    /** What deploy reads of the tags. */
    reads: (stopBindsTo: 'mark' | 'commit' = 'mark') => {
      const deployments = deploymentsFromRefs('web', inByteOrder([...tags].map(([name, sha]) => ({ name, sha }))), { stopBindsTo });
      return deployments.control('prod.main', 'prod.all');
    },
  };
}

const codes = ({ problems }: ControlOutcome): readonly string[] => problems.map(({ severity, code }) => `${severity} ${code}`);

describe('tags', () => {
  it.each<[ControlRequest['verb'], string]>([
    ['start', 'start'],
    ['stop', 'stop'],
    ['restart', 'start'],
  ])('%s is a light tag on the commit that the group runs', async (verb, word) => {
    const w = world({
      'paasta-prod.all-20260101T000000-deploy': B,
      'paasta-prod.all+v2-20260101T000001-deploy': A,
      'paasta-prod.allx-20260102T000000-deploy': B,
    });
    const outcome = await w.do(verb);
    expect(outcome).toEqual({
      problems: [],
      results: [
        { ...MAIN, state: 'written', tag: `paasta-prod.main-${NOW}-${word}`, version: { sha: A, imageVersion: 'v2' }, before: 'start' },
      ],
    });
    expect(w.tags.get(`refs/tags/paasta-prod.main-${NOW}-${word}`)).toBe(A);
    expect(w.reads()).toEqual({ desiredState: word, forceBounce: NOW });
  });

  it('are only told in a dry run', async () => {
    const w = world();
    expect((await w.do('stop', { dryRun: true })).results[0]).toMatchObject({ state: 'planned', tag: `paasta-prod.main-${NOW}-stop` });
    expect(w.said).toEqual([`dry run: would create the tag paasta-prod.main-${NOW}-stop on ${A}`]);
    expect(w.names()).toEqual(['prod.all-20260101T000000-deploy']);
  });

  it('are asked for by prefix, and no prefix twice', async () => {
    const w = world();
    await w.do('stop', { targets: [MAIN, { cluster: 'prod', instance: 'all', deployGroup: 'prod.all' }], dryRun: true });
    expect(w.asked).toEqual(['refs/tags/paasta-prod.all', 'refs/tags/paasta-prod.main-']);
  });
});

describe('a second that is taken', () => {
  it('by a tag of that name means the next one; nothing is forced', async () => {
    const w = world();
    let times = 0;
    w.state.before = (name) => {
      if (times++ < 2) w.tags.set(`refs/tags/${name}`, B);
    };
    expect((await w.do('start')).results[0]?.tag).toBe('paasta-prod.main-20260102T030407-start');
    expect(w.tags.get(`refs/tags/paasta-prod.main-${NOW}-start`)).toBe(B);
  });

  it('by a stop means the next one for a start: in one second the stop would count', async () => {
    const w = world();
    await w.do('stop');
    const start = await w.do('start');
    expect(start.results[0]?.tag).toBe('paasta-prod.main-20260102T030406-start');
    expect(w.reads().desiredState).toBe('start');
    expect((await w.do('stop')).results[0]?.tag).toBe('paasta-prod.main-20260102T030407-stop');
    expect(w.reads().desiredState).toBe('stop');
  });

  it('ends after five tries', async () => {
    const w = world();
    w.state.before = (name) => void w.tags.set(`refs/tags/${name}`, B);
    const outcome = await w.do('stop');
    expect(codes(outcome)).toEqual(['error TAG_COLLISION']);
    expect(outcome.results[0]?.state).toBe('failed');
  });

  it('by a clock that runs ahead: the tag comes after it, with a warning', async () => {
    const w = world({ 'paasta-prod.all-20260102T090000-deploy': A });
    const outcome = await w.do('stop');
    expect(outcome.results[0]?.tag).toBe('paasta-prod.main-20260102T090000-stop');
    expect(codes(outcome)).toEqual(['warning CLOCK_SKEW']);
    // With our own time the stop would lie before the mark, and count for nothing.
    expect(w.reads().desiredState).toBe('stop');
  });

  it.each(['zzz', '99999999T999999'])('by the token %s, which no time comes after, is an error that names the tag', async (token) => {
    const w = world({ 'paasta-prod.all-20260101T000000-deploy': A, [`paasta-prod.main-${token}-stop`]: A });
    const outcome = await w.do('start');
    expect(codes(outcome)).toEqual(['error TOKEN_OVERRULES']);
    expect(outcome.problems[0]?.hint).toContain(`paasta-prod.main-${token}-start and -stop`);
    expect(w.tags.size).toBe(2);
  });
});

describe('a group without a mark', () => {
  it('is named, and the others go on', async () => {
    const w = world();
    const outcome = await w.do('stop', { targets: [CANARY, MAIN] });
    expect(outcome.results.map(({ state }) => state)).toEqual(['not-marked', 'written']);
    expect(outcome.problems).toEqual([
      expect.objectContaining({
        severity: 'error',
        code: 'NOT_MARKED',
        message: "prod.canary cannot stop: its deploy group 'prod.canary' was never marked in acme/web",
        hint: 'has web been deployed there yet? Mark a commit for prod.canary first',
      }),
    ]);
  });
});

describe('a refusal of the repository', () => {
  it('ends the run: what was written stays, what was not tried is said', async () => {
    const w = world({ 'paasta-prod.all-20260101T000000-deploy': A, 'paasta-prod.canary-20260101T000000-deploy': A });
    w.state.refuse = 'canary';
    const outcome = await w.do('restart', { targets: [MAIN, CANARY, { ...MAIN, instance: 'worker' }] });
    expect(outcome.results.map(({ state }) => state)).toEqual(['written', 'failed', 'not-tried']);
    expect(codes(outcome)).toEqual(['error GITHUB_PERMISSION_MISSING']);
  });
});

describe('a stop', () => {
  it('of what is stopped writes nothing', async () => {
    const w = world();
    await w.do('stop');
    w.state.now += 60_000;
    const again = await w.do('stop');
    expect(again).toMatchObject({ problems: [], results: [{ state: 'unchanged', tag: `paasta-prod.main-${NOW}-stop`, before: 'stop' }] });
    expect(w.names()).toHaveLength(2);
  });

  it('belongs to its mark: another version starts the instance, and coming back does not stop it again', async () => {
    const w = world();
    await w.do('stop');
    w.state.now += 60_000;
    // The same version again: nothing new, and the stopped instance is named.
    const same = await w.mark(A);
    expect(same).toMatchObject({ marked: false, stopped: ['prod.main'] });
    expect(same.problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'STILL_STOPPED prod.main is stopped under this version and stays stopped',
    ]);
    expect(w.reads().desiredState).toBe('stop');

    await w.mark(B);
    expect(w.reads().desiredState).toBe('start');
    w.state.now += 60_000;
    await w.mark(A);
    expect(w.reads()).toEqual({ desiredState: 'start', forceBounce: null });
    // PaaSTA's rule, and that of deployments.json: the stop is back.
    expect(w.reads('commit')).toEqual({ desiredState: 'stop', forceBounce: NOW });
  });

  it('ends with a rebuild of the same commit under the mark rule, not under that of the commit', async () => {
    const w = world();
    await w.do('stop');
    w.state.now += 60_000;
    await w.mark(A, '20260102T000000');
    expect([w.reads().desiredState, w.reads('commit').desiredState]).toEqual(['start', 'stop']);
  });

  it('can be said again for a version that was stopped long ago', async () => {
    const w = world();
    await w.do('stop');
    for (const sha of [B, A]) {
      w.state.now += 60_000;
      await w.mark(sha);
    }
    w.state.now += 60_000;
    expect((await w.do('stop', { stopBindsTo: 'commit' })).results[0]?.state).toBe('unchanged');
    expect((await w.do('stop')).results[0]).toMatchObject({ state: 'written', before: 'start' });
    expect(w.reads().desiredState).toBe('stop');
  });

  it('ends with a start', async () => {
    const w = world();
    await w.do('stop');
    w.state.now += 60_000;
    expect((await w.do('start')).results[0]?.before).toBe('stop');
    expect(w.reads()).toEqual({ desiredState: 'start', forceBounce: '20260102T030505' });
  });
});

describe('two runs at once', () => {
  it('a mark of another version in between: the tag goes on the new one, too', async () => {
    const w = world();
    let once = true;
    w.state.before = () => {
      if (once) w.tags.set('refs/tags/paasta-prod.all-20260102T030404-deploy', B);
      once = false;
    };
    const outcome = await w.do('stop');
    expect(outcome.results[0]).toMatchObject({ state: 'written', version: { sha: B }, tag: 'paasta-prod.main-20260102T030406-stop' });
    expect(w.said).toContain('prod.all was marked with another version in this moment; once more for prod.main');
    expect(w.reads().desiredState).toBe('stop');
  });

  it('marks that never end are an error', async () => {
    const w = world();
    let n = 0;
    w.state.before = () => void w.tags.set(`refs/tags/paasta-prod.all-20260102T0304${String(10 + n++)}-deploy`, n % 2 === 0 ? A : B);
    expect(codes(await w.do('stop'))).toEqual(['error MARK_MOVED']);
  });

  it('a stop that counts more than our start is an error', async () => {
    const w = world();
    w.state.before = () => void w.tags.set(`refs/tags/paasta-prod.main-${NOW}-stop`, A);
    const outcome = await w.do('start');
    expect(codes(outcome)).toEqual(['error CONTROL_SUPERSEDED']);
    expect(outcome.problems[0]?.message).toContain(`(paasta-prod.main-${NOW}-stop)`);
  });
});

describe('what is said about the marks to come', () => {
  const at = { deployGroup: 'prod.all', version: { sha: A, imageVersion: null } };
  it.each<[Parameters<typeof controlEffect>[0], 'mark' | 'commit', RegExp]>([
    [
      'stop',
      'mark',
      /^stopped while prod\.all runs a1a1a1a1: .* a mark of another version \(commit or image version\) starts it, and coming back to a1a1a1a1 later does not stop it again; instances: 0/,
    ],
    ['stop', 'commit', /a mark of another commit starts it, and coming back to this commit stops it again/],
    ['restart', 'mark', /replaced by the bounce method/],
  ])('%s, bound to the %s', (verb, binds, text) => {
    expect(controlEffect(verb, at, binds)).toMatch(text);
  });
});

describe('which instances', () => {
  const files = {
    'web/kubernetes-prod.yaml': 'main: {deploy_group: prod.all}\ncanary: {}\n_template: {}\n',
    'web/eks-dev.yaml': 'main: {}\n',
    'web/adhoc-prod.yaml': 'shell: {}\n',
    'web/kubernetes-eu.yaml': 'main: {deploy_group: 5}\nother: {}\n',
  };
  const CLUSTERS = ['prod', 'dev', 'eu'];
  const choose = (clusters: string[] = [], instances: string[] = [], deployGroups: string[] = []) => {
    const config = loadSoaConfigs(memoryTree(files), systemConfigOf({ clusters: CLUSTERS })).load('web');
    return selectControlled(config, CLUSTERS, { clusters, instances, deployGroups });
  };
  const refused = (...args: Parameters<typeof choose>): string => {
    try {
      choose(...args);
    } catch (error) {
      return error instanceof UserError
        ? error.problems.map(({ code, message, hint }) => `${code}: ${message} → ${hint ?? ''}`).join('\n')
        : String(error);
    }
    return '';
  };
  const names = (...args: Parameters<typeof choose>): string =>
    choose(...args)
      .targets.map(({ cluster, instance, deployGroup }) => `${cluster}.${instance} (${deployGroup})`)
      .join(', ');

  it('all, some, or those of a deploy group', () => {
    expect(names()).toBe('dev.main (dev.main), eu.other (eu.other), prod.main (prod.all), prod.canary (prod.canary)');
    expect(names(['prod'], ['main'])).toBe('prod.main (prod.all)');
    expect(names([], [], ['prod.all', 'dev.main'])).toBe('dev.main (dev.main), prod.main (prod.all)');
  });

  it('all of a service with an instance that cannot be read says so', () => {
    expect(choose().problems.map(({ code }) => code)).toEqual(['DEPLOY_GROUP_INVALID']);
    expect(choose(['prod'], ['main']).problems).toEqual([]);
  });

  it('a cluster that has none of them is worth a warning', () => {
    expect(choose(['prod', 'dev'], ['canary']).problems.map(({ severity, message }) => `${severity} ${message}`)).toEqual([
      "warning cluster 'dev' has no such instance of web",
    ]);
  });

  it.each<[string, Parameters<typeof choose>, string]>([
    ['cluster', [['prd'], ['main']], "UNKNOWN_CLUSTER: cluster 'prd' is not in the system configuration → did you mean 'prod'"],
    [
      'instance',
      [['prod'], ['mian']],
      "UNKNOWN_INSTANCE: instance 'mian' is not declared by web in prod → did you mean 'main'? known: canary, main",
    ],
    [
      'instance of another cluster',
      [['dev'], ['canary']],
      "UNKNOWN_INSTANCE: instance 'canary' is not declared by web in dev → it is declared for prod",
    ],
    [
      'deploy group',
      [['prod'], [], ['prod.al']],
      "UNKNOWN_DEPLOY_GROUP: no instance of web in prod has the deploy group 'prod.al' → did you mean 'prod.all'",
    ],
    ['template', [['prod'], ['_template']], "UNKNOWN_INSTANCE: instance '_template'"],
    ['adhoc instance', [['prod'], ['shell']], 'NOT_CONTROLLABLE: prod.shell is an adhoc instance'],
    [
      'instance that cannot be read',
      [['eu'], ['main']],
      'UNKNOWN_INSTANCE: eu.main of web is declared, but its configuration cannot be read',
    ],
    [
      'combination that nothing has',
      [['prod'], ['main'], ['prod.canary']],
      'NOTHING_SELECTED: no instance of web in prod matches → there are: prod.main, prod.canary',
    ],
  ])('an unknown %s is refused with near names', (_, args, text) => {
    expect(refused(...args)).toContain(text);
  });

  it('a service whose files cannot be read whole: that is the next step, not a name that was wrong', () => {
    const broken = loadSoaConfigs(
      memoryTree({ ...files, 'web/service.yaml': 'a = 1\nb: 2\n' }),
      systemConfigOf({ clusters: CLUSTERS }),
    ).load('web');
    const said = (clusters: string[], instances: string[]): string => {
      try {
        selectControlled(broken, CLUSTERS, { clusters, instances, deployGroups: [] });
      } catch (error) {
        return (error as UserError).problems.map(({ message, hint }) => `${message} → ${hint ?? ''}`).join('\n');
      }
      return '';
    };
    expect(said(['prod'], ['mian'])).toMatch(
      /^instance 'mian' is not declared by web in prod → did you mean 'main'\? known: canary, main\n'a = 1' is not 'key: value'/,
    );
    expect(said(['prod'], [])).toMatch(
      /^no instance of web in prod matches → correct the files of web first: its instances cannot be read whole\n'a = 1'/,
    );
  });

  it('services of one repository share their control branches, which is said', () => {
    const tree = memoryTree({
      ...files,
      'api/service.yaml': 'git_url: git@github.com:Acme/mono.git\n',
      'api/kubernetes-prod.yaml': 'main: {}\nother: {}\n',
      'web/service.yaml': 'git_url: git@github.com:acme/mono\n',
      'db/service.yaml': 'git_url: git@github.com:acme/mono2\n',
      'db/kubernetes-prod.yaml': 'main: {}\n',
    });
    const soa = loadSoaConfigs(tree, systemConfigOf({ clusters: CLUSTERS }));
    const others = othersOfRepository(tree, soa, 'web', 'git@github.com:acme/mono');
    expect(others).toEqual(['api']);
    const target = (instance: string): ControlTarget => ({ cluster: 'prod', instance, deployGroup: 'x' });
    expect(
      sharedControls(
        'stop',
        [target('canary')],
        others.map((other) => soa.load(other)),
      ),
    ).toEqual([]);
    expect(
      sharedControls(
        'stop',
        [target('main'), target('canary')],
        others.map((other) => soa.load(other)),
      ),
    ).toEqual([
      expect.objectContaining({
        severity: 'warning',
        code: 'SHARED_CONTROL_BRANCH',
        message:
          'the stop reaches prod.main of api, too, while the same commit runs there: the tags of a repository say cluster and instance, not the service',
      }),
    ]);
  });

  it('all wrong names are reported together', () => {
    expect(
      refused(['prod'], ['mian', 'cnary'], ['x'])
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(['UNKNOWN_INSTANCE', 'UNKNOWN_INSTANCE', 'UNKNOWN_DEPLOY_GROUP', 'DEPLOY_GROUP_INVALID']);
  });
});

describe('any sequence of marks, stops, starts and restarts', () => {
  // A linear congruential generator: the same sequences on every machine.
  function random(seed: number): () => number {
    let state = seed;
    return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  }

  it('is read as a person would tell it: stopped from a stop until a start or another version', async () => {
    let stops = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const next = random(seed);
      const w = world({ 'paasta-prod.all-20260101T000000-deploy': A });
      const told: string[] = [];
      let version = `${A} null`;
      let isStopped = false;
      for (let step = 0; step < 12; step++) {
        const dice = next();
        if (dice < 0.4) {
          // Marks come from other machines, later; what is said about instances may fall into one second.
          w.state.now += 20_000;
          const sha = next() < 0.5 ? A : B;
          const imageVersion = next() < 0.3 ? 'v1' : null;
          await w.mark(sha, imageVersion);
          if (version !== `${sha} ${String(imageVersion)}`) isStopped = false;
          version = `${sha} ${String(imageVersion)}`;
          told.push(`mark ${version}`);
        } else {
          const verb = dice < 0.7 ? 'stop' : dice < 0.85 ? 'start' : 'restart';
          const { problems } = await w.do(verb);
          expect(problems).toEqual([]);
          isStopped = verb === 'stop';
          told.push(verb);
        }
        if (isStopped) stops++;
        expect(`${w.reads().desiredState} after ${told.join(', ')}`).toBe(`${isStopped ? 'stop' : 'start'} after ${told.join(', ')}`);
      }
    }
    // Both states occur: a reader that always says the same would not pass.
    expect(stops).toBeGreaterThan(1_000);
    expect(stops).toBeLessThan(3_800);
  });
});
