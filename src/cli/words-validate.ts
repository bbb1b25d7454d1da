/** `paasta validate`. Rules: paasta_tools/cli/cmds/validate.py. */
import { GITHUB, json, SERVICE, SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR, type Word } from './word.ts';

export const VALIDATE_WORDS: readonly Word[] = [
  {
    name: 'validate',
    stage: 'validate',
    about: 'tells everything that is wrong with the files of services in soa-configs',
    options: [
      { names: ['PATH'], input: 'path', positional: true, commandOnly: true, help: 'directory of a service, or of soa-configs' },
      {
        ...SERVICE,
        repeatable: true,
        help: 'only this service (repeatable). Default: the one whose directory is the current one, else all',
      },
      { ...SOA_DIR_OF_READERS, names: [...SOA_DIR_OF_READERS.names, '--yelpsoa-config-root'] },
      { names: ['--changed-only'], input: 'changed-only', help: 'only services with files that differ from --base' },
      { names: ['--base'], value: 'REF', input: 'base', help: 'branch, tag or commit that --changed-only compares with' },
      {
        names: ['--fail-on'],
        value: 'SEVERITY',
        input: 'fail-on',
        help: 'error (default) or warning: from which severity on the exit code is 1',
      },
      { names: ['--sarif-file'], value: 'FILE', input: 'sarif-file', help: 'write the problems as SARIF 2.1.0' },
      { names: ['--json-file'], value: 'FILE', input: 'json-file', help: 'write the problems as JSON' },
      json('print the problems as JSON', { commandOnly: true }),
      {
        names: ['--check-run'],
        input: 'check-run',
        help: 'in a job of GitHub Actions: make a check run with an annotation for every problem',
      },
      SYSTEM_CONFIG_DIR,
      ...GITHUB,
    ],
    load: async () => {
      const [{ command }, { wire }] = await Promise.all([import('../validate/main.ts'), import('../validate/wire.ts')]);
      return (runtime) => command(runtime, wire(runtime));
    },
  },
];
