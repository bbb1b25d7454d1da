/**
 * What steps have passed on exactly these files, so that a second `npm test` repeats only what can have changed (as `go test` says
 * `(cached)`). Kept under the user's cache directory; nothing but a step in which every test ran and passed is kept.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from '../test/testbed/parts/places.ts';

/** What a step is, as far as its result depends on it. */
interface Step {
  readonly name: string;
  readonly argv: readonly string[];
}

/** A step that passed whole. */
export interface Passed {
  readonly passed: number;
  readonly seconds: number;
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** Kept at most; the oldest go first. */
const MOST = 100;
/** Variables that tests answer to, besides our own. */
const VARIABLES = /^(PAASTA_|DOCKER_|KUBE|CI$|LANG$|LC_|TZ$|PATH$|(https?|no)_proxy$)/i;
const place = (): string => join(cacheRoot(), 'passed');

function addFile(hash: ReturnType<typeof createHash>, root: string, name: string): void {
  let text: Buffer | string;
  try {
    text = readFileSync(join(root, name));
  } catch (error) {
    text = `unreadable: ${(error as NodeJS.ErrnoException).code ?? ''}`;
  }
  hash.update(`${name}\0${text.length}\0`).update(text);
}

/**
 * A hash of everything that results may depend on: each file of the tree that git does not ignore (also what is not committed), the
 * vectors beside it, the user, the machine's kind, Node and the environment. `undefined` outside a git checkout.
 */
export function stateOf(root: string): string | undefined {
  let names: readonly string[];
  try {
    const listed = execFileSync('git', ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    names = [...new Set(listed.split('\0').filter(Boolean))].sort();
  } catch {
    return undefined;
  }
  const hash = createHash('sha256');
  for (const name of names) addFile(hash, root, name);
  const vectors = join(root, '..', 'shared', 'conformance');
  try {
    for (const name of readdirSync(vectors).sort()) addFile(hash, vectors, name);
  } catch {
    // a clone by itself has none
  }
  const variables = Object.entries(process.env)
    .filter(([name]) => VARIABLES.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify([process.version, process.platform, process.arch, process.getuid?.(), variables]));
  return hash.digest('hex');
}

const fileOf = (state: string, step: Step): string =>
  join(
    place(),
    `${step.name}-${createHash('sha256')
      .update(JSON.stringify([state, step.argv]))
      .digest('hex')
      .slice(0, 32)}.json`,
  );

/** The earlier result of this step in this state. */
export function passedBefore(state: string, step: Step): Passed | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(state, step), 'utf8')) as Passed;
  } catch {
    return undefined;
  }
}

/** Keeps it; a cache that cannot be written is none. */
export function keepPassed(state: string, step: Step, result: Passed): void {
  try {
    mkdirSync(place(), { recursive: true });
    writeFileSync(fileOf(state, step), JSON.stringify(result));
    const kept = readdirSync(place()).map((name) => ({ name, at: statSync(join(place(), name)).mtimeMs }));
    for (const { name } of kept.sort((a, b) => b.at - a.at).slice(MOST)) rmSync(join(place(), name), { force: true });
  } catch {
    // the next run repeats the step
  }
}
