/** The command line of `npm run testbed`. Every mistake is reported, with the legal words. */
import { parseArgs } from 'node:util';
import { SIZES } from './parts/record.ts';
import type { Size } from './parts/record.ts';

export const COMMANDS = ['up', 'down', 'status', 'doctor', 'bring'] as const;
export type Command = (typeof COMMANDS)[number];
export const PARTS = ['docker', 'registry', 'git', 'kubernetes'] as const;
export type Part = (typeof PARTS)[number];

export interface Arguments {
  readonly command: Command;
  readonly size: Size;
  readonly name: string;
  readonly all: boolean;
  readonly parts: readonly Part[];
  readonly fakeNodes: number;
}

export const USAGE = `npm run testbed -- up|down|status|doctor|bring [options]

  up      starts what is missing, reuses what is there
  down    ends it by process id and puts the machine back as it was
  status  what runs, with process ids and memory
  doctor  what is here, what would be brought, what cannot run here and why
  bring   fetches and builds what a size needs, starts nothing

  --name NAME        default main; several testbeds may run side by side
  --all              down, status: every testbed of this user
  --size SIZE        control-plane (default: no root, pods are played) | full (kubelet and containerd, root)
  --with LIST        of ${PARTS.join(', ')}; default for size control-plane: registry,kubernetes; for full: docker,registry,kubernetes
  --fake-nodes N     default 1, only for size control-plane

Kubernetes is taken from PAASTA_TESTBED_CONTEXT (refused unless on loopback or of kind), else kind for size full
when it is installed, else KUBEBUILDER_ASSETS, else binaries built once into the cache. State: PAASTA_TESTBED_STATE.`;

/** Reads the arguments; answers every problem at once instead when there are some. */
export function readArguments(argv: readonly string[]): Arguments | { readonly problems: readonly string[] } {
  let values, positionals;
  try {
    ({ values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        name: { type: 'string', default: 'main' },
        all: { type: 'boolean', default: false },
        size: { type: 'string', default: 'control-plane' },
        with: { type: 'string' },
        'fake-nodes': { type: 'string', default: '1' },
      },
    }));
  } catch (error) {
    return { problems: [error instanceof Error ? error.message : String(error)] };
  }
  const problems: string[] = [];
  const [command = '', ...more] = positionals;
  if (!(COMMANDS as readonly string[]).includes(command))
    problems.push(`${command === '' ? 'no command' : `unknown command '${command}'`}; known: ${COMMANDS.join(', ')}`);
  if (more.length > 0) problems.push(`too many words: ${more.join(' ')}`);
  if (!(SIZES as readonly string[]).includes(values.size)) problems.push(`--size '${values.size}'; known: ${SIZES.join(', ')}`);
  if (!/^[a-z0-9][a-z0-9-]{0,20}$/.test(values.name))
    problems.push(`--name '${values.name}': lower case letters, digits and dashes, at most 21`);
  if (!/^\d+$/.test(values['fake-nodes'])) problems.push(`--fake-nodes '${values['fake-nodes']}': a number`);
  const usual = values.size === 'full' ? 'docker,registry,kubernetes' : 'registry,kubernetes';
  const parts = (values.with ?? usual)
    .split(',')
    .map((p) => p.trim())
    .filter((p) => p !== '');
  const unknown = parts.filter((p) => !(PARTS as readonly string[]).includes(p));
  if (unknown.length > 0) problems.push(`--with ${unknown.map((p) => `'${p}'`).join(', ')}; known: ${PARTS.join(', ')}`);
  if (problems.length > 0) return { problems };
  return {
    command: command as Command,
    size: values.size as Size,
    name: values.name,
    all: values.all,
    parts: parts as Part[],
    fakeNodes: Number(values['fake-nodes']),
  };
}
