/** `paasta WORD [options]`: reads the command line and runs a stage. Rules: paasta_tools/cli/cli.py. */
import { describeProblem, problem, type Problem } from '../shared/contract/errors.ts';
import { suggestName } from '../shared/contract/near.ts';
import { quoted } from '../shared/contract/validity.ts';
import { conclude } from '../shared/runtime/run-action.ts';
import { createTerminalRuntime, type TextStream } from '../shared/runtime/terminal-runtime.ts';
import { commandHelp, wordHelp } from './help.ts';
import { parseOptions, withEnvironment } from './options.ts';
import { WORDS, type Word } from './words.ts';

export interface CommandSetting {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly words?: readonly Word[];
}

/** PaaSTA's code for a wrong command line (not argparse's 2). It prints the whole help, too: the message would be scrolled away by it. */
const USAGE_EXIT = 1;

/** Runs the command. Returns the exit code when no stage was started; `undefined` when one was (it sets the code itself). */
export async function command(setting: CommandSetting): Promise<number | undefined> {
  const { argv, env, stdout, stderr, version } = setting;
  const words = setting.words ?? WORDS;
  const [first, ...rest] = argv;
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const word = first === 'help' ? words.find(({ name }) => name === rest[0]) : undefined;
    (first === undefined ? stderr : stdout).write(word === undefined ? commandHelp(words) : wordHelp(word));
    return first === undefined ? USAGE_EXIT : 0;
  }
  if (first === '--version' || first === '-V' || first === 'version') {
    stdout.write(`paasta-actions ${version}\n`);
    return 0;
  }
  const word = words.find(({ name }) => name === first);
  if (word === undefined) {
    const unknown = problem('UNKNOWN_WORD', `paasta has no word ${quoted(first)}`, {
      hint: suggestName(
        first,
        words.map(({ name }) => name),
      ),
    });
    stderr.write(`${say(unknown)}\n\n'paasta --help' lists the words.\n`);
    return USAGE_EXIT;
  }
  const parsed = parseOptions(rest, word.options);
  if (parsed.help) {
    stdout.write(wordHelp(word));
    return 0;
  }
  const errors = parsed.problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    stderr.write(`${errors.map(say).join('\n')}\n\n'paasta ${word.name} --help' lists the options.\n`);
    return USAGE_EXIT;
  }
  const owned = createTerminalRuntime(`paasta ${word.name}`, withEnvironment({ ...parsed.inputs, ...word.inputs }, word.options, env), {
    env: withoutInputs(env),
    stdout,
    stderr,
    verbose: parsed.verbose || env['RUNNER_DEBUG'] === '1',
  });
  for (const found of parsed.problems) owned.runtime.log.problem(found);
  const own = word.plain === true ? { ...owned, runtime: { ...owned.runtime, addSummary: () => Promise.resolve() } } : owned;
  await conclude(
    own,
    async (runtime) => {
      const run = await word.load();
      await run(runtime);
    },
    { summary: false },
  );
  return undefined;
}

/** In a step of a job the environment may hold inputs of an action around us: they are not options of this command. */
function withoutInputs(env: CommandSetting['env']): CommandSetting['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_')));
}

function say(found: Problem): string {
  return `paasta: ${found.severity}: ${describeProblem(found)}`;
}
