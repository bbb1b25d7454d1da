/** How a run ends, as a process: by itself, with the right code, whatever is left open. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBundle, type BundleOptions, type BundleRun } from '../support/runner.ts';

const RUNTIME = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'src/shared/runtime/index.ts');
const scratch = mkdtempSync(join(tmpdir(), 'paasta-end-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function entry(body: string): string {
  const file = join(scratch, 'entry.ts');
  writeFileSync(
    file,
    `import { readFileSync } from 'node:fs';\nimport net from 'node:net';\nimport { runAction } from ${JSON.stringify(RUNTIME)};\nawait runAction('paasta-x', async (runtime) => { ${body} });\n`,
  );
  return file;
}
const end = (body: string, options: BundleOptions = {}): Promise<BundleRun> => runBundle('x', { entry: entry(body), ...options });

describe('a run ends', () => {
  it('by itself after success, with its outputs, whatever their text', async () => {
    const run = await end("runtime.setOutput('a', 'one\\nghadelimiter_x\\nb=two'); runtime.log.info('::set-output name=c::d');");
    expect(run.code).toBe(0);
    expect(run.outputs).toEqual({ a: 'one\nghadelimiter_x\nb=two' });
    expect(run.text).not.toMatch(/^::set-output/m);
  });

  it('with the code that the stage asks for, and without a word about an error', async () => {
    const run = await end('throw new (await import(process.env.ERRORS)).ExitWith(2);', {
      env: { ERRORS: join(dirname(dirname(RUNTIME)), 'contract', 'errors.ts') },
    });
    expect([run.code, run.text]).toEqual([2, '']);
  });

  it.each([
    ['success', '', 0],
    ['failure', "throw new Error('boom');", 1],
  ])('after %s, although a socket and a timer are left open', async (_what, last, code) => {
    const run = await end(`net.createServer().listen(0); setInterval(() => undefined, 1000); ${last}`);
    expect(run.code).toBe(code);
    expect(run.signal).toBeNull();
  });

  it('with a report of ours when a promise never settles, or when one is rejected that nobody waits for', async () => {
    const never = await end('await new Promise(() => undefined);');
    expect(never.code).toBe(1);
    expect(never.text).toContain('::error title=paasta-x%3A ENDED_EARLY::paasta-x stopped before it was done');
    const stray = await end("void Promise.reject(new Error('stray')); await runtime.clock.sleep(600_000, runtime.signal);");
    expect(stray.code).toBe(1);
    expect(stray.text).toMatch(/INTERNAL_ERROR.*stray/);
  });

  it('with 130 on the first signal when the stage listens, on the second when it does not', async () => {
    const signals = (names: readonly NodeJS.Signals[]): BundleOptions => {
      let send = (): void => undefined;
      return {
        onStart: (child) => {
          send = () => {
            names.forEach((name, at) => {
              setTimeout(() => child.kill(name), at * 600);
            });
          };
        },
        onText: (text) => {
          if (text.includes('ready')) send();
        },
      };
    };
    const listening = await end("runtime.log.info('ready'); await runtime.clock.sleep(600_000, runtime.signal);", signals(['SIGTERM']));
    expect(listening.code).toBe(130);
    expect(listening.text).toContain('paasta-x was cancelled');
    const deaf = await end("runtime.log.info('ready'); await runtime.clock.sleep(600_000);", signals(['SIGINT', 'SIGTERM']));
    expect(deaf.code).toBe(130);
  });

  it('when its reader goes away', () => {
    const file = entry('for (let i = 0; i < 100000; i++) { runtime.log.info(`line ${i}`); await runtime.clock.sleep(1); }');
    const said = execFileSync('bash', ['-c', '"$0" "$1" | head -1; echo "exit ${PIPESTATUS[0]}"', process.execPath, file], {
      encoding: 'utf8',
      timeout: 600_000,
    });
    expect(said).toBe('line 0\nexit 141\n');
  });

  it('saying the problems on file and line, unable to start another command', async () => {
    const run = await end(
      "const { UserError } = await import(process.env.ERRORS); throw new UserError([{ severity: 'error', code: 'A', message: 'first\\n::error::forged%0A', file: 'a,b:c.yaml', line: 3, column: 2 }, { severity: 'notice', code: 'B', message: 'second' }]);",
      { env: { ERRORS: join(dirname(dirname(RUNTIME)), 'contract/errors.ts') } },
    );
    expect(run.code).toBe(1);
    expect(run.text).toContain(
      '::error title=paasta-x%3A A,file=a%2Cb%3Ac.yaml,line=3,col=2::a,b:c.yaml:3:2: first%0A::error::forged%250A',
    );
    expect(run.text).toContain('::notice title=paasta-x%3A B::second');
    expect(run.text).not.toMatch(/^::error::/m);
    expect(run.summary).toContain('| error | a,b:c.yaml:3 |');
  });

  it('telling debug lines only with RUNNER_DEBUG, and no secret', async () => {
    const body =
      "runtime.mask('hunter22'); runtime.log.debug('token hunter22'); runtime.log.info('token hunter22'); await runtime.addSummary('token hunter22');";
    const quiet = await end(body);
    expect(quiet.text).not.toContain('::debug::');
    const loud = await end(body, { env: { RUNNER_DEBUG: '1' } });
    expect(loud.text).toContain('::debug::token ***');
    expect(loud.text).toContain('::add-mask::hunter22');
    expect(loud.text.replace('::add-mask::hunter22', '')).not.toContain('hunter22');
    expect(loud.summary).toBe('token ***\n');
  });
});
