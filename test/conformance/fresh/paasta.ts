/** PaaSTA itself: a Python environment in the user's cache, and its answers from the driver. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { withLock } from '../../testbed/parts/lock.ts';
import { cacheRoot } from '../../testbed/parts/places.ts';
import { run, which } from '../../testbed/parts/run.ts';
import { step, terminal } from '../../testbed/parts/say.ts';
import type { Case } from '../types.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const REQUIREMENTS = join(HERE, 'requirements.txt');
/** The vectors were made on it: before 3.11 a regular expression refuses `c++`; the pinned packages are built for it. */
const PYTHON = '3.11';

/** Pythons of pyenv are not on the PATH under their version unless somebody asked for it. */
function pythonsOfPyenv(): readonly string[] {
  const versions = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  const names = existsSync(versions) ? readdirSync(versions) : [];
  return names.filter((name) => name.startsWith(`${PYTHON}.`)).map((name) => join(versions, name, 'bin'));
}

/** The interpreter of an environment that holds PaaSTA 1.60.3; made at the first call. */
export async function bringPaasta(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
  const home = join(cacheRoot(), 'paasta', `1.60.3-${version}`);
  const [python, whole] = [join(home, 'bin', 'python'), join(home, 'whole')];
  if (existsSync(whole)) return python;
  const given = which(`python${PYTHON}`, pythonsOfPyenv());
  if (given === undefined)
    throw new Error(
      `no python${PYTHON} on the PATH or under pyenv: PaaSTA 1.60.3 was run on ${PYTHON} for the vectors (apt-get install, or pyenv install ${PYTHON})`,
    );
  const log = terminal('conformance:fresh');
  mkdirSync(dirname(home), { recursive: true });
  await withLock(
    `${home}.lock`,
    async () => {
      if (existsSync(whole)) return;
      rmSync(home, { recursive: true, force: true });
      await step(log, 'bringing PaaSTA 1.60.3 from PyPI', 'once, about a minute', async () => {
        for (const argv of [
          [given, '-m', 'venv', home],
          [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--requirement', REQUIREMENTS],
        ]) {
          const ran = await run(argv);
          if (ran.exitCode !== 0) throw new Error(`PaaSTA cannot be brought: ${argv.join(' ')}\n${ran.stderr.trim().slice(-2_000)}`);
        }
      });
      writeFileSync(whole, '');
    },
    log,
  );
  return python;
}

function ended(child: ChildProcess, what: string, said: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${what} ended with ${code ?? 'a signal'}: ${said().slice(-2_000)}`));
    });
  });
}

/** PaaSTA's answers to the cases that `write` puts into the driver. */
async function* answers(python: string, write: (input: NodeJS.WritableStream) => Promise<void>): AsyncGenerator<Case> {
  const driver = spawn(python, ['-W', 'ignore', join(HERE, 'driver.py')], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  driver.stderr.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-4_000)));
  driver.stdin.on('error', () => undefined); // it says itself why it ended
  const end = Promise.all([ended(driver, 'the driver', () => said), write(driver.stdin)]);
  end.catch(() => undefined); // awaited below
  for await (const line of createInterface({ input: driver.stdout })) yield JSON.parse(line) as Case;
  await end;
}

/** Fresh cases with PaaSTA's answers. The generator is Python's too: JSON read here would take `1.0` for `1`. */
export function freshCases(
  python: string,
  wish: { readonly directory: string; readonly kind: string; readonly mode: string; readonly count: number; readonly seed: number },
): AsyncGenerator<Case> {
  return answers(python, async (input) => {
    const args = [wish.directory, '--kind', wish.kind, '--count', String(wish.count), '--seed', String(wish.seed), '--mode', wish.mode];
    const generator = spawn(python, ['-W', 'ignore', join(HERE, 'generate.py'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    generator.stderr.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-4_000)));
    generator.stdout.pipe(input);
    await ended(generator, 'the generator', () => said);
  });
}

/** What the driver answers to given cases, as their lines stand in the files of the vectors. */
export function answersTo(python: string, lines: readonly string[]): AsyncGenerator<Case> {
  return answers(python, (input) => {
    input.end(lines.map((line) => `${line}\n`).join(''));
    return Promise.resolve();
  });
}
