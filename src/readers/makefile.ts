/** The Makefile of a service: does it keep the contract. Rules: paasta_tools/cli/cmds/check.py. */
import { UserError } from '../shared/contract/errors.ts';
import type { TreeReader } from '../shared/contract/ports.ts';
import type { Run, RunResult } from '../shared/process/index.ts';
import { failed, passed, type Check } from './contract-check.ts';

/** In the order in which GNU make looks. PaaSTA searches subdirectories, too, and finds the wrong one. */
const NAMES = ['GNUmakefile', 'makefile', 'Makefile'];
/** Milliseconds. PaaSTA gives 5 s; `$(shell …)` of a large Makefile may need more. */
const PROBE = 30_000;

const TARGETS: readonly (readonly [target: string, level: Check['level'], what: string])[] = [
  ['cook-image', 'should', 'builds the image and tags it with $DOCKER_TAG, without tests'],
  ['itest', 'must', 'builds the image, tags it with $DOCKER_TAG and tests it'],
  ['test', 'must', 'runs the unit tests'],
];

export async function checkMakefile(
  run: Run,
  tree: TreeReader,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const files = tree
    .list('')
    .filter(({ kind }) => kind !== 'directory')
    .map(({ name }) => name);
  const makefile = NAMES.find((name) => files.includes(name));
  if (makefile === undefined)
    return [
      failed(
        'makefile',
        'must',
        `there is no Makefile in ${tree.root}`,
        "run this at the root of the service's repository; the Makefile has the targets itest and test",
      ),
    ];
  const text = tree.read(makefile) ?? '';
  // Recipes may stand in a file that is included.
  const isWhole = !/^[ \t]*-?include\b/m.test(text);
  const checks: Check[] = [passed('makefile', 'must', `a ${makefile} is there`)];
  if (text.includes('\t') || /^\.RECIPEPREFIX\b/m.test(text) || !isWhole)
    checks.push(passed('makefile-tab', 'must', `the ${makefile} has recipes`));
  else
    checks.push(
      failed(
        'makefile-tab',
        'must',
        `no line of the ${makefile} begins with a tab`,
        'begin the lines of recipes with a tab: editors like to write blanks instead',
        { file: makefile },
      ),
    );
  if (/\bDOCKER_TAG\s*\?=/.test(text) || !isWhole)
    checks.push(passed('docker-tag', 'should', `DOCKER_TAG has a default in the ${makefile}`));
  else
    checks.push(
      failed(
        'docker-tag',
        'should',
        `DOCKER_TAG has no default in the ${makefile}`,
        'write DOCKER_TAG ?= <service>-dev-$(USER), for builds on a machine of a person',
        { file: makefile },
      ),
    );
  for (const [target, level, what] of TARGETS) {
    const { code, timedOut, stderr } = await ask(run, ['make', '--question', target], {
      cwd: tree.root,
      env: { ...env, LC_ALL: 'C' },
      timeout: PROBE,
      signal,
    });
    if (!timedOut && (code === 0 || code === 1)) checks.push(passed(`make-${target}`, level, `the ${makefile} has the target '${target}'`));
    else if (timedOut)
      checks.push(
        failed(
          `make-${target}`,
          level,
          `make did not say within ${String(PROBE / 1_000)} s whether it has the target '${target}'`,
          `run make --question ${target}`,
          { file: makefile },
        ),
      );
    else if (/No rule to make target/.test(stderr))
      checks.push(failed(`make-${target}`, level, `the ${makefile} has no target '${target}'`, `add it: it ${what}`, { file: makefile }));
    else
      checks.push(
        failed(
          `make-${target}`,
          level,
          `make cannot say whether it has the target '${target}': ${stderr.trim().split('\n')[0] || `exit code ${String(code)}`}`,
          `run make --question ${target}`,
          { file: makefile },
        ),
      );
  }
  return checks;
}

/** A machine without make is a check that is not kept, not the end of all checks. */
async function ask(
  run: Run,
  argv: readonly string[],
  options: Parameters<Run>[1],
): Promise<Pick<RunResult, 'code' | 'timedOut' | 'stderr'>> {
  try {
    return await run(argv, options);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { code: 2, timedOut: false, stderr: error.problems[0]?.message ?? '' };
  }
}
