/** The runtime of a job step. The only door of `@actions/core`. */
import * as core from '@actions/core';
import { describeProblem, type Problem } from '../contract/errors.ts';
import type { Log, Runtime } from '../contract/ports.ts';
import { systemClock } from './clock.ts';
import { createRedaction, inert } from './safe-text.ts';
import { listenToSignals } from './signals.ts';
import { appendSummary } from './summary-file.ts';

/** A runtime and what its owner has to close. */
export interface OwnedRuntime {
  readonly runtime: Runtime;
  readonly close: () => void;
}

/**
 * Inputs from `INPUT_<NAME>` (GitHub keeps dashes: `INPUT_SOA-DIR`), outputs and summary through the files of the step, problems
 * as annotations.
 */
export function createActionRuntime(name: string): OwnedRuntime {
  const debugging = process.env['RUNNER_DEBUG'] === '1';
  const { mask, redact } = createRedaction((secret) => {
    core.setSecret(secret);
  });
  const say = (text: string): void => {
    core.info(inert(redact(text)));
  };
  let open = false;
  const log: Log = {
    debug: (message) => {
      if (debugging) core.debug(redact(message));
    },
    info: say,
    problem: (found) => {
      annotate(name, found, redact);
    },
    group: async (title, body) => {
      if (open) {
        say(title);
        return await body();
      }
      open = true;
      core.startGroup(redact(title).replace(/[\r\n]+/g, ' '));
      try {
        return await body();
      } finally {
        core.endGroup();
        open = false;
      }
    },
  };
  const signals = listenToSignals(log);
  const runtime: Runtime = {
    name,
    input: (input) => core.getInput(input),
    env: process.env,
    workingDirectory: process.cwd(),
    platform: process.platform,
    log,
    mask,
    clock: systemClock,
    signal: signals.signal,
    setOutput: (output, value) => {
      core.setOutput(output, value);
    },
    addSummary: async (markdown) => {
      const file = process.env['GITHUB_STEP_SUMMARY'];
      if (file === undefined || file === '') say(markdown);
      else if (!(await appendSummary(file, redact(markdown)))) say(markdown);
    },
  };
  return { runtime, close: signals.close };
}

/** `@actions/core` escapes line ends and percent signs (and `:` and `,` in properties): a message cannot start a command. */
function annotate(name: string, found: Problem, redact: (text: string) => string): void {
  const write = found.severity === 'error' ? core.error : found.severity === 'warning' ? core.warning : core.notice;
  write(redact(describeProblem(found)), {
    title: `${name}: ${found.code}`,
    ...(found.file === undefined ? {} : { file: found.file }),
    ...(found.line === undefined ? {} : { startLine: found.line }),
    ...(found.column === undefined || found.line === undefined ? {} : { startColumn: found.column }),
  });
}
