import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledError, problem, UserError, warning, type Problem } from '../../../src/shared/contract/errors.ts';
import { cell, code, fenced } from '../../../src/shared/contract/markdown.ts';
import type { Entry, Runtime, TreeReader } from '../../../src/shared/contract/ports.ts';
import type { Run } from '../../../src/shared/process/index.ts';
import { currentService, requireService, uncommittedFiles } from '../../../src/shared/runtime/checkout.ts';
import { systemClock } from '../../../src/shared/runtime/clock.ts';
import { runMain } from '../../../src/shared/runtime/run-action.ts';
import { createRedaction, inert } from '../../../src/shared/runtime/safe-text.ts';
import { appendSummary } from '../../../src/shared/runtime/summary-file.ts';
import { createTerminalRuntime, plainText } from '../../../src/shared/runtime/terminal-runtime.ts';

describe('text for the job log', () => {
  // What the runner obeys: `::command` at the start of a line (after white space) and `##[command]` anywhere.
  it.each([
    ['::error::x', '\u200b::error::x'],
    ['  \t::add-mask::x', '  \t\u200b::add-mask::x'],
    ['ok\n::stop-commands::x\nok', 'ok\n\u200b::stop-commands::x\nok'],
    ['progress\r::error::x', 'progress\n\u200b::error::x'],
    ['a ##[group]b', 'a ##\u200b[group]b'],
    ['a::b', 'a::b'],
    ['plain', 'plain'],
  ])('%j is inert', (text, safe) => {
    expect(inert(text)).toBe(safe);
  });

  it('loses its secrets, the longest first, each line of them too', () => {
    const told: string[] = [];
    const { mask, redact } = createRedaction((secret) => told.push(secret));
    mask('abc');
    mask('abcdef');
    mask('line-one\nline-two');
    mask('');
    mask('x');
    expect(redact('abcdef abc line-two x')).toBe('*** *** *** x');
    expect(told).toEqual(['abc', 'abcdef', 'line-one\nline-two', 'line-one', 'line-two']);
  });
});

describe('the summary file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'paasta-summary-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('is appended to, and stays below the size that GitHub drops whole', async () => {
    const file = join(directory, 'a');
    writeFileSync(file, '');
    expect(await appendSummary(file, '# one', 300)).toBe(true);
    expect(await appendSummary(file, 'ü\n'.repeat(200), 300)).toBe(false);
    const text = readFileSync(file, 'utf8');
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(300);
    expect(text).toMatch(/^# one\nü\n/);
    expect(text).not.toContain('\ufffd');
    expect(text).toContain('longer than GitHub shows');
    expect(await appendSummary(file, 'more\n'.repeat(10), 300)).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });
});

interface Heard {
  readonly runtime: Runtime;
  readonly problems: Problem[];
  readonly lines: string[];
  readonly summaries: string[];
}

function listen(over: Partial<Runtime> = {}): Heard {
  const heard = { problems: [] as Problem[], lines: [] as string[], summaries: [] as string[] };
  const runtime: Runtime = {
    name: 'paasta-x',
    input: () => '',
    env: {},
    workingDirectory: '/',
    platform: 'linux',
    mask: () => undefined,
    clock: systemClock,
    signal: new AbortController().signal,
    log: {
      debug: () => undefined,
      info: (line) => heard.lines.push(line),
      problem: (found) => heard.problems.push(found),
      group: (_title, body) => body(),
    },
    setOutput: () => undefined,
    addSummary: async (text) => {
      heard.summaries.push(text);
    },
    ...over,
  };
  return { runtime, ...heard };
}

describe('how a stage ends', () => {
  it('well', async () => {
    const { runtime, problems } = listen();
    expect(await runMain(runtime, async () => undefined)).toBe(0);
    expect(problems).toEqual([]);
  });

  it('with problems of the user: each is said, no stack, exit as the stage says', async () => {
    const { runtime, problems, lines, summaries } = listen();
    const list = [problem('A', 'first | <b>', { input: 'service', hint: 'do this' }), warning('B', 'second', { file: 'x.yaml', line: 3 })];
    expect(
      await runMain(runtime, async () => {
        throw new UserError(list, { exitCode: 7 });
      }),
    ).toBe(7);
    expect(problems).toEqual(list);
    expect(lines).toEqual([]);
    expect(summaries.join('')).toContain('| error | input service | first \\| &lt;b&gt; | do this | `A` |');
    expect(summaries.join('')).toContain('| warning | x.yaml:3 | second |  | `B` |');
  });

  it('on a terminal: what was printed is not repeated as a table', async () => {
    const { runtime, problems, summaries } = listen();
    for (const error of [new UserError(problem('A', 'a')), new Error('boom')])
      expect(
        await runMain(
          runtime,
          async () => {
            throw error;
          },
          { summary: false },
        ),
      ).toBe(1);
    expect(problems.map(({ code }) => code)).toEqual(['A', 'INTERNAL_ERROR']);
    expect(summaries).toEqual([]);
  });

  it('with a defect of ours: the stack, its cause, and where to report it', async () => {
    const { runtime, problems, lines } = listen({
      env: { GITHUB_ACTION_REPOSITORY: 'acme/paasta-actions', GITHUB_SERVER_URL: 'https://ghe.example.com' },
    });
    expect(
      await runMain(runtime, async () => {
        throw new Error('boom', { cause: new TypeError('deep') });
      }),
    ).toBe(1);
    expect(problems[0]).toMatchObject({
      code: 'INTERNAL_ERROR',
      hint: expect.stringContaining('https://ghe.example.com/acme/paasta-actions/issues') as string,
    });
    expect(lines.join('\n')).toMatch(/Error: boom\n\s+at .*\ncaused by: TypeError: deep/s);
  });

  it('with something thrown that is no error', async () => {
    const { runtime, problems } = listen();
    // A library may do it.
    expect(await runMain(runtime, () => Promise.reject('text' as unknown as Error))).toBe(1);
    expect(problems[0]?.message).toContain('text');
  });

  it('cancelled: 130, whatever the stage throws then', async () => {
    expect(
      await runMain(listen().runtime, async () => {
        throw new CancelledError();
      }),
    ).toBe(130);
    const aborted = AbortSignal.abort();
    for (const error of [new DOMException('x', 'AbortError'), new UserError(problem('A', 'a')), new Error('x')]) {
      expect(
        await runMain(listen({ signal: aborted }).runtime, async () => {
          throw error;
        }),
      ).toBe(130);
    }
  });

  it('even when the log itself fails', async () => {
    const { runtime } = listen({ addSummary: () => Promise.reject(new Error('disk full')) });
    expect(
      await runMain(runtime, async () => {
        throw new UserError(problem('A', 'a'));
      }),
    ).toBe(1);
  });
});

describe('the clock', () => {
  it('wakes early, with a cancellation, when the run is cancelled', async () => {
    const controller = new AbortController();
    const sleep = systemClock.sleep(60_000, controller.signal);
    controller.abort();
    await expect(sleep).rejects.toBeInstanceOf(CancelledError);
    await expect(systemClock.sleep(1, controller.signal)).rejects.toBeInstanceOf(CancelledError);
    await systemClock.sleep(1);
  });
});

describe('the terminal', () => {
  function terminal(options: { isTTY?: boolean; env?: Record<string, string>; verbose?: boolean } = {}): {
    runtime: Runtime;
    out: () => string;
    err: () => string;
  } {
    const [out, err]: [string[], string[]] = [[], []];
    const { runtime } = createTerminalRuntime(
      'paasta x',
      { 'deploy-group': ' prod.main ' },
      {
        stdout: { write: (text) => out.push(text) },
        stderr: { isTTY: options.isTTY ?? false, write: (text) => err.push(text) },
        env: options.env ?? {},
        verbose: options.verbose ?? false,
        signal: new AbortController().signal,
      },
    );
    return { runtime, out: () => out.join(''), err: () => err.join('') };
  }

  it('reads inputs by their names and says problems on standard error, in colour only on a terminal', () => {
    const plain = terminal();
    expect(plain.runtime.input('deploy-group')).toBe('prod.main');
    plain.runtime.log.problem(problem('A', 'bad \u001b[31mthing', { hint: 'mend it' }));
    expect(plain.err()).toBe('error: bad \\x1b[31mthing\n  next: mend it [A]\n');
    const coloured = terminal({ isTTY: true });
    coloured.runtime.log.problem(warning('A', 'x'));
    expect(coloured.err()).toBe('\u001b[33mwarning:\u001b[0m x [A]\n');
    const without = terminal({ isTTY: true, env: { NO_COLOR: '1' } });
    without.runtime.log.problem(warning('A', 'x'));
    expect(without.err()).toBe('warning: x [A]\n');
  });

  it('hides secrets, and shows debug lines only when asked', () => {
    const quiet = terminal();
    quiet.runtime.mask('hunter22');
    quiet.runtime.log.info('password hunter22');
    quiet.runtime.log.debug('x');
    expect(quiet.out() + quiet.err()).toBe('password ***\n');
    const loud = terminal({ verbose: true });
    loud.runtime.log.debug('x');
    expect(loud.err()).toBe('debug: x\n');
  });

  it('is the inverse of what escapes foreign text, and leaves blocks of code alone', () => {
    const foreign = 'set $DOCKER_TAG, HTTPS_PROXY and ["*"] | <none> & `make` #1 ~x a@b **c**';
    expect(plainText(`| ${cell('line 1\nline 2')} | ${cell(foreign)} |`)).toBe(`line 1 line 2  ${foreign}`);
    expect(plainText(`| ${code('a_b|c')} | ${code('[x](y)')} |`)).toBe('a_b|c  [x](y)');
    const log = '# not a heading\n| a | b |\n**x** [y](z) \\_ `q`';
    expect(plainText(`before\n\n${fenced(log)}\n\nafter`)).toBe(`before\n\n${log}\n\nafter`);
  });

  it('prints a summary without Markdown', () => {
    expect(
      plainText(
        '### ✅ `x` done\n\n|  |  |\n| --- | --- |\n| **tag** | `a\\|b` |\n\n<details><summary>more</summary>\n\n```\ncode\n```\n\n</details>\n[here](https://x)',
      ),
    ).toBe('✅ x done\n\ntag  a|b\n\nmore\n\ncode\n\nhere');
  });
});

describe('the checkout', () => {
  const tree = (files: Readonly<Record<string, string>>): TreeReader => ({
    root: 'soa',
    read: (path) => files[path],
    list: (path) =>
      [
        ...new Set(
          Object.keys(files)
            .filter((file) => path === '' || file.startsWith(`${path}/`))
            .map((file) => file.slice(path === '' ? 0 : path.length + 1).split('/')[0] as string),
        ),
      ].map((name): Entry => ({ name, kind: path === '' ? 'directory' : 'file' })),
  });
  const git =
    (origin?: string): Run =>
    async (argv) => ({
      code: origin === undefined ? 1 : 0,
      signal: null,
      timedOut: false,
      cancelled: false,
      stdout: argv.includes('--get') ? `${origin ?? ''}\n` : '',
      stderr: '',
      duration: 1,
    });
  const soa = tree({
    'web/service.yaml': 'git_url: git@github.com:acme/site.git\n',
    'api/service.yaml': "git_url: 'https://github.com/acme/api'\n",
    '_shared/x.yaml': '',
    '.git/config': '',
  });

  it.each([
    ['the repository of the job', { GITHUB_REPOSITORY: 'acme/api' }, undefined, 'api'],
    ["the repository's name without services-", { GITHUB_REPOSITORY: 'acme/services-web' }, undefined, 'web'],
    ['capitals of the repository', { GITHUB_REPOSITORY: 'acme/API' }, undefined, 'api'],
    ['git_url of a service', { GITHUB_REPOSITORY: 'acme/site' }, undefined, 'web'],
    ['origin, outside of a job', {}, 'https://git.example.com/team/api.git', 'api'],
  ])('knows its service from %s', async (_what, env, origin, service) => {
    expect(await currentService({ env, workingDirectory: '/' }, git(origin), soa)).toBe(service);
  });

  it('takes the name of the repository when there is no soa-configs tree (a pull request from a fork)', async () => {
    expect(await currentService({ env: { GITHUB_REPOSITORY: 'acme/services-new' }, workingDirectory: '/' }, git(), tree({}))).toBe('new');
  });

  it('explains what is missing', async () => {
    await expect(currentService({ env: { GITHUB_REPOSITORY: 'acme/wbe' }, workingDirectory: '/' }, git(), soa)).rejects.toThrow(
      /no service 'wbe'[\s\S]*did you mean 'web'\? known: api, web/,
    );
    await expect(currentService({ env: {}, workingDirectory: '/' }, git(), soa)).rejects.toThrow(/no origin/);
    expect(() => requireService('wbe', soa)).toThrow(/'wbe' is not a directory of soa[\s\S]*did you mean 'web'/);
    expect(() => requireService('_shared', soa)).toThrow();
    expect(() => requireService('anything', tree({}))).not.toThrow();
  });

  it('leaves a soa-configs checkout inside the service out of the comparison with HEAD', async () => {
    const asked: (readonly string[])[] = [];
    const run: Run = async (argv) => {
      asked.push(argv);
      return { code: 0, signal: null, timedOut: false, cancelled: false, stdout: ' M Makefile\0?? new file\0', stderr: '', duration: 1 };
    };
    expect(await uncommittedFiles(run, '/repo', ['.paasta-soa-configs/services', '../other', '.'])).toEqual(['Makefile', 'new file']);
    expect(asked[0]?.filter((word) => word.startsWith(':('))).toEqual([':(exclude,top).paasta-soa-configs']);
  });
});
