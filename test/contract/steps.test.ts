/** `npm test` as a person runs it twice: what passed on the same files is said, not repeated. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stateOf } from '../../scripts/passed.ts';
import { ROOT } from '../../scripts/steps.ts';

describe('steps that passed before', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'paasta-steps-'));
  const count = join(scratch, 'count');
  const script = join(scratch, 'run.ts');
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const ran = (): number => (existsSync(count) ? readFileSync(count, 'utf8').length : 0);

  /** Runs two steps, each of which leaves a letter; the second ends with `code`. */
  function run(code: number, args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    const step = (name: string, end: number): string =>
      JSON.stringify({
        name,
        about: 'a step',
        argv: ['node', '-e', `require('fs').appendFileSync(${JSON.stringify(count)}, 'x'); process.exit(${end})`],
      });
    writeFileSync(
      script,
      `import { runSteps } from ${JSON.stringify(join(ROOT, 'scripts', 'steps.ts'))};\nprocess.exitCode = await runSteps([${step('one', 0)}, ${step('two', code)}]);\n`,
    );
    const before = ran();
    const { CI: _, ...own } = process.env;
    const child = spawnSync(process.execPath, [script, ...args], {
      encoding: 'utf8',
      env: { ...own, XDG_CACHE_HOME: join(scratch, 'cache'), ...environment },
    });
    return { code: child.status, text: child.stdout + child.stderr, ran: ran() - before };
  }

  it('are not repeated on the same files, and say so', () => {
    expect(run(0)).toMatchObject({ code: 0, ran: 2 });
    const second = run(0);
    expect(second).toMatchObject({ code: 0, ran: 0 });
    expect(second.text).toMatch(/== 1\/2 one: 1 passed on these same files at \d{4}-\d\d-\d\dT[\d:]+Z in [\d.]+ s, not repeated\n/);
    expect(second.text).toMatch(
      /\(earlier\): passed before on these same files; to repeat them: npm test -- --again\n\n2 passed, 0 failed\n$/,
    );
  });

  it('are repeated when asked to, in CI, and in another environment', () => {
    expect(run(0, ['--again']).ran).toBe(2);
    expect(run(0, [], { CI: 'true' }).ran).toBe(2);
    expect(run(0, [], { PAASTA_TESTBED_CONTEXT: 'kind-other' }).ran).toBe(2);
    expect(run(0).ran).toBe(0);
  });

  it('never stand for one that failed', () => {
    for (const _ of [1, 2]) expect(run(3)).toMatchObject({ code: 1, ran: 1 });
    expect(run(3).text).toContain('1 passed, 1 failed');
  });

  it('refuses words that it does not know', () => {
    const wrong = run(0, ['--agian']);
    expect(wrong).toMatchObject({ code: 2, ran: 0 });
    expect(wrong.text).toContain('usage: npm test [-- --again]');
  });

  it('are of the files: a change, a new file and a lost one each count, ignored ones do not', () => {
    const tree = mkdtempSync(join(scratch, 'tree-'));
    const git = (...args: readonly string[]): unknown => execFileSync('git', ['-C', tree, ...args], { stdio: 'pipe' });
    expect(stateOf(tree)).toBeUndefined();
    git('init', '-q');
    writeFileSync(join(tree, '.gitignore'), 'ignored\n');
    writeFileSync(join(tree, 'a'), 'one');
    git('add', '.');
    const states = [stateOf(tree)];
    writeFileSync(join(tree, 'ignored'), 'x');
    expect(stateOf(tree)).toBe(states[0]);
    appendFileSync(join(tree, 'a'), ' two');
    states.push(stateOf(tree));
    writeFileSync(join(tree, 'new'), '');
    states.push(stateOf(tree));
    rmSync(join(tree, 'a'));
    states.push(stateOf(tree));
    expect(new Set(states).size).toBe(4);
    expect(readdirSync(tree)).not.toContain('a');
  });
});
