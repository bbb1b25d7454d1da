/** Command-line options: their table, and the reader that turns words into inputs. PaaSTA's own reader is argparse. */
import { problem, type Problem } from '../shared/contract/errors.ts';
import { nearNames } from '../shared/contract/near.ts';
import { quoted } from '../shared/contract/validity.ts';

/** One option of a word. */
export interface Option {
  /** `--service`; the first is the one that help shows. */
  readonly names: readonly string[];
  readonly help: string;
  /** Placeholder of the value; an option without one is a switch. */
  readonly value?: string;
  /** Input of the stage that it sets. An option of PaaSTA without one has no effect here, which is said. */
  readonly input?: string;
  /** What a switch sets its input to; `true` when absent. */
  readonly sets?: string;
  /** Why the option has no effect, or is refused. */
  readonly note?: string;
  /** Refused: silently going on would do something else than was asked for. */
  readonly refused?: boolean;
  /** Read from the environment when the option is not given. */
  readonly env?: string;
  /** May be given several times; the values are joined with commas. */
  readonly repeatable?: boolean;
  /** Belongs to the command only: the action has no such input. */
  readonly commandOnly?: boolean;
  /** A word without an option in front of it, such as a path; its name is only that of the help. */
  readonly positional?: boolean;
  /** Of such a word: the inputs that it says, when they are several. */
  readonly splits?: (text: string) => Readonly<Record<string, string>>;
}

export interface ParsedOptions {
  /** By input name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly help: boolean;
  readonly verbose: boolean;
  /** Errors and warnings, all of them. */
  readonly problems: readonly Problem[];
}

/** Options that every word has. */
export const COMMON: readonly Option[] = [
  { names: ['--help', '-h'], help: 'show this help and exit' },
  { names: ['--verbose', '-v'], help: 'say every request and every decision' },
];

/**
 * Reads the words after the name of the command. `--name value`, `--name=value`, `-n value`, `-nvalue`, `-vf` for switches. Never
 * throws: every problem is in the result (UNKNOWN_OPTION, OPTION_WITHOUT_VALUE, OPTION_TWICE, UNEXPECTED_ARGUMENT, OPTION_REFUSED).
 */
export function parseOptions(words: readonly string[], options: readonly Option[]): ParsedOptions {
  const all = [...options, ...COMMON];
  const byName = new Map(all.flatMap((option) => option.names.map((name) => [name, option] as const)));
  const problems: Problem[] = [];
  const inputs: Record<string, string> = {};
  const seen = new Map<string, string>();
  let help = false;
  let verbose = false;

  const place = ({ names: [name = 'the argument'] }: Option, parts: Readonly<Record<string, string>>): void => {
    for (const [input, part] of Object.entries(parts)) {
      if (seen.has(input))
        problems.push(
          problem('OPTION_TWICE', `${input} is given twice, with ${quoted(seen.get(input) ?? '')} and, in ${name}, ${quoted(part)}`, {
            hint: `give either ${name} or the options`,
          }),
        );
      else inputs[input] = part;
      seen.set(input, part);
    }
  };

  const take = (option: Option, name: string, value: string): void => {
    const [canonical] = option.names;
    if (canonical === '--help') help = true;
    if (canonical === '--verbose') verbose = true;
    if (option.refused === true) {
      problems.push(problem('OPTION_REFUSED', `${name} is not available here`, option.note === undefined ? {} : { hint: option.note }));
      return;
    }
    if (option.input === undefined) {
      if (option.note !== undefined && !seen.has(canonical as string)) {
        problems.push({ severity: 'warning', code: 'OPTION_WITHOUT_EFFECT', message: `${name} has no effect: ${option.note}` });
      }
      seen.set(canonical as string, value);
      return;
    }
    const before = seen.get(option.input);
    if (before !== undefined && option.repeatable === true) inputs[option.input] = `${before},${value}`;
    else if (before !== undefined && before !== value)
      problems.push(
        problem('OPTION_TWICE', `${name} is given twice, with ${quoted(before)} and ${quoted(value)}`, { hint: 'give it once' }),
      );
    else inputs[option.input] = value;
    seen.set(option.input, inputs[option.input] ?? value);
  };

  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (/^-[^-]./.test(word) && !byName.has(word)) {
      // `-sname` is an option with its value, `-vf` are two switches.
      const option = byName.get(word.slice(0, 2));
      if (option !== undefined && option.value === undefined) queue.unshift(`-${word.slice(2)}`);
      else if (option !== undefined) queue.unshift(word.slice(2).replace(/^=/, ''));
      if (option !== undefined) word = word.slice(0, 2);
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = equals === -1 ? word : word.slice(0, equals);
    const positional = word.startsWith('-') ? undefined : options.find((one) => one.positional === true);
    if (positional !== undefined) {
      if (positional.splits === undefined) take(positional, positional.names[0] as string, word);
      else place(positional, positional.splits(word));
      continue;
    }
    const option = byName.get(name);
    if (option === undefined) {
      problems.push(
        word.startsWith('-')
          ? unknown(name, [...byName.keys()])
          : problem('UNEXPECTED_ARGUMENT', `unexpected argument ${quoted(word)}`, {
              hint: 'every value belongs to an option, such as --service NAME',
            }),
      );
      // Its value would be reported a second time.
      if (word.startsWith('-') && equals === -1 && queue[0] !== undefined && !queue[0].startsWith('-')) queue.shift();
      continue;
    }
    if (option.value === undefined) {
      if (equals !== -1) problems.push(problem('OPTION_WITH_VALUE', `${name} takes no value`, { hint: `write ${name} alone` }));
      else take(option, name, option.sets ?? 'true');
      continue;
    }
    const value =
      equals !== -1
        ? word.slice(equals + 1)
        : queue[0] !== undefined && !byName.has(queue[0]) && !queue[0].startsWith('--')
          ? queue.shift()
          : undefined;
    if (value === undefined)
      problems.push(problem('OPTION_WITHOUT_VALUE', `${name} needs a value`, { hint: `write ${name} ${option.value}` }));
    else take(option, name, value);
  }
  return { inputs, help, verbose, problems };
}

/** Inputs that come from the environment when no option gave them. */
export function withEnvironment(
  inputs: Readonly<Record<string, string>>,
  options: readonly Option[],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const filled: Record<string, string> = { ...inputs };
  for (const { input, env: variable } of options) {
    if (input === undefined || variable === undefined || filled[input] !== undefined) continue;
    const value = env[variable];
    if (value !== undefined && value !== '') filled[input] = value;
  }
  return filled;
}

function unknown(name: string, known: readonly string[]): Problem {
  const near = nearNames(
    name,
    known.filter((one) => one.startsWith('--')),
  );
  return problem('UNKNOWN_OPTION', `there is no option ${quoted(name)}`, {
    hint: near.length > 0 ? `did you mean ${near.join(' or ')}?` : '--help lists the options',
  });
}
