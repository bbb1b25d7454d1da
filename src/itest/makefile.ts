/** The Makefile of a service: does it answer to a target, and what does its failure say. Rules: paasta_tools/cli/cmds/check.py. */
import { problem, UserError, type Problem } from '../shared/contract/errors.ts';
import type { TreeReader } from '../shared/contract/ports.ts';
import { quoted } from '../shared/contract/validity.ts';
import type { Run, RunResult } from '../shared/process/index.ts';

/** In the order in which GNU make looks. */
const NAMES = ['GNUmakefile', 'makefile', 'Makefile'];
/** Milliseconds. PaaSTA gives 5 s; `$(shell …)` of a large Makefile may need more. */
const PROBE = 30_000;

export interface Probe {
  readonly makefile: string;
  /** make says that there is nothing to do: a file or directory has the target's name, so that the recipe never runs. */
  readonly upToDate: boolean;
  readonly warnings: readonly Problem[];
}

/**
 * `make --question`: runs no recipe. Exit 2 means "no such target" or "cannot be read", which the message tells apart.
 * Throws `UserError` MAKEFILE_MISSING, TARGET_MISSING, MAKEFILE_BROKEN.
 */
export async function probeTarget(
  run: Run,
  tree: TreeReader,
  target: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<Probe> {
  const entries = tree
    .list('')
    .filter(({ kind }) => kind !== 'directory')
    .map(({ name }) => name);
  const makefile = NAMES.find((name) => entries.includes(name));
  if (makefile === undefined) {
    throw new UserError(
      problem('MAKEFILE_MISSING', `there is no Makefile in ${quoted(tree.root)}`, {
        input: 'working-directory',
        hint: `check the repository out before this step, and give it a Makefile with the target '${target}' that builds an image named $DOCKER_TAG`,
      }),
    );
  }
  const result = await run(['make', '--question', target], { cwd: tree.root, env: { ...env, LC_ALL: 'C' }, timeout: PROBE, signal });
  if (result.code === 2) throw new UserError(refusal(result, makefile, target));
  const upToDate = result.code === 0;
  const warnings: Problem[] = [];
  if (upToDate) {
    warnings.push({
      severity: 'warning',
      code: 'TARGET_UP_TO_DATE',
      file: makefile,
      message: `make says that '${target}' is up to date and will not run its recipe: a file or directory of that name exists`,
      hint: `add '.PHONY: ${target}' to the ${makefile}`,
    });
  }
  if (
    target !== 'test' &&
    !/\bDOCKER_TAG\b/.test(tree.read(makefile) ?? '') &&
    !/^[^\S\n\r\u2028\u2029]*-?include\b/m.test(tree.read(makefile) ?? '')
  ) {
    warnings.push({
      severity: 'warning',
      code: 'DOCKER_TAG_UNUSED',
      file: makefile,
      message: `the ${makefile} never mentions DOCKER_TAG`,
      hint: 'build the image with docker build -t $(DOCKER_TAG) .',
    });
  }
  return { makefile, upToDate, warnings };
}

function refusal(result: RunResult, makefile: string, target: string): Problem {
  const said =
    result.stderr
      .trim()
      .split('\n')
      .find((line) => line.includes('***')) ??
    result.stderr.trim().split('\n')[0] ??
    '';
  const missing = /No rule to make target [`']([^']*)'(?:, needed by [`']([^']*)')?/.exec(said);
  if (missing !== null && missing[2] === undefined && missing[1] === target) {
    return problem('TARGET_MISSING', `the ${makefile} has no target '${target}'`, {
      file: makefile,
      hint: `add the target '${target}': it builds an image named $DOCKER_TAG (see PaaSTA's contract for services)`,
    });
  }
  const place = /^([^:\s]+):(\d+):\s*\*\*\*\s*(.*?)(?:\s+Stop\.)?$/.exec(said);
  return problem('MAKEFILE_BROKEN', `make cannot read '${target}' of the ${makefile}: ${place?.[3] ?? said}`, {
    file: place?.[1] ?? makefile,
    ...(place?.[2] === undefined ? {} : { line: Number(place[2]) }),
    hint: `run make --question ${target} in the repository`,
  });
}

/** The line of the Makefile that failed: `make: *** [Makefile:12: itest] Error 1`. The innermost make speaks first. */
export function failedRecipe(stderr: string): { readonly file: string; readonly line: number; readonly target: string } | undefined {
  const found = /^make(?:\[\d+\])?: \*\*\* \[([^\]:]+):(\d+): ([^\]]+)\]/m.exec(stderr);
  return found === null ? undefined : { file: found[1] as string, line: Number(found[2]), target: found[3] as string };
}
