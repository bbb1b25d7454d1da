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
  // A checkout of its own: in ours other tests and people write.
  const files = join(scratch, 'files');
  execFileSync('git', ['init', '-q', files]);
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const ran = (): number => (existsSync(count) ? readFileSync(count, 'utf8').length : 0);

  /** Runs two steps, each of which leaves a letter; the second ends with `code`. */
  function run(code: number, args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}) {
    const step = (name: string, end: number): string =>
      JSON.stringify({
        name,
        about: 'a step',
        argv: [
          'node',
          '-e',
          `require('fs').appendFileSync(${JSON.stringify(count)}, 'x'); console.log('end of ${name}'); process.exit(${end})`,
        ],
      });
    writeFileSync(
      script,
      `import { runSteps } from ${JSON.stringify(join(ROOT, 'scripts', 'steps.ts'))};\nprocess.exitCode = await runSteps([${step('one', 0)}, ${step('two', code)}], ${JSON.stringify(files)});\n`,
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

  it('says last what failed, with the end of what it said', () => {
    expect(run(3).text).toMatch(
      /\nwhat failed\n {2}two: ended with exit code 3\n {4}end of two\n\n\(earlier\): [^\n]+\n\n1 passed, 1 failed\n$/,
    );
  });

  it('names the failed tests of a step that has tests, and a file that could not be loaded', () => {
    const report = {
      numPassedTests: 4,
      numFailedTests: 1,
      numRuntimeErrorTestSuites: 1,
      testResults: [
        {
          name: join(ROOT, 'test', 'unit', 'a.test.ts'),
          status: 'failed',
          message: 'all of them',
          assertionResults: [
            { status: 'passed', fullName: 'adds', failureMessages: [] },
            { status: 'failed', fullName: 'a thing counts', failureMessages: ['\u001b[31mexpected 1\u001b[39m\n  got 2'] },
          ],
        },
        { name: join(ROOT, 'test', 'unit', 'b.test.ts'), status: 'failed', message: 'Cannot find module', assertionResults: [] },
      ],
    };
    const writes = `require('fs').writeFileSync(process.argv.at(-1).replace('--outputFile=', ''), ${JSON.stringify(JSON.stringify(report))}); process.exit(1)`;
    writeFileSync(
      script,
      `import { runSteps } from ${JSON.stringify(join(ROOT, 'scripts', 'steps.ts'))};\nprocess.exitCode = await runSteps([${JSON.stringify({ name: 'unit', about: 'tests', argv: ['node', '-e', writes, '--'], jest: true })}]);\n`,
    );
    const child = spawnSync(process.execPath, [script, '--again'], { encoding: 'utf8' });
    expect(child.stdout).toContain(
      [
        'what failed',
        '  unit: test/unit/a.test.ts: a thing counts',
        '    expected 1',
        '      got 2',
        '  unit: test/unit/b.test.ts',
        '    Cannot find module',
        '',
        '4 passed, 2 failed',
        '',
      ].join('\n'),
    );
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
