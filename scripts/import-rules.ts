/** Who may import whom, as the map of the house says. Used by lint and by the contract test. */

/** What a room may import. */
export interface Room {
  /** Directory under `src/`. */
  readonly room: string;
  readonly kind: 'leaf' | 'pure' | 'over interfaces' | 'adapter' | 'stage' | 'command';
  /** Other rooms of `src/`. */
  readonly rooms: readonly string[];
  /** npm packages. Each package has one door. */
  readonly packages: readonly string[];
  /** Modules of Node: all, none, or these. */
  readonly node: 'all' | readonly string[];
}

const LEAVES = ['shared/contract', 'shared/objects'];
/** Each may import the leaves and what stands after it. */
const PURE = [
  'shared/report',
  'shared/plan',
  'shared/health',
  'shared/workload',
  'shared/bounce',
  'shared/deployments',
  'shared/soa-configs',
];
const OVER_INTERFACES = ['shared/marking', 'shared/converge', 'shared/monitoring'];
const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  'shared/files': [],
  'shared/process': [],
  'shared/network': ['undici'],
  'shared/git': [],
  'shared/docker': [],
  'shared/registry': [],
  'shared/github': [
    '@actions/github',
    '@octokit/rest',
    '@octokit/plugin-retry',
    '@octokit/plugin-throttling',
    '@octokit/types',
    '@octokit/request-error',
  ],
  'shared/kubernetes': ['@kubernetes/client-node'],
  'shared/runtime': ['@actions/core'],
};
const STAGES = [
  'itest',
  'push-to-registry',
  'mark-for-deployment',
  'deploy',
  'generate-deployments',
  'control',
  'pipeline',
  'readers',
  'validate',
];
/** Stages that talk to a cluster. */
const CLUSTER_STAGES = ['deploy'];
/** Parts of a stage that the command may import. */
export const STAGE_DOORS = ['main.ts', 'wire.ts'];

export const ROOMS: readonly Room[] = [
  { room: 'shared/contract', kind: 'leaf', rooms: [], packages: [], node: ['node:crypto'] },
  { room: 'shared/objects', kind: 'leaf', rooms: ['shared/contract'], packages: [], node: [] },
  ...PURE.map((room, at): Room => ({
    room,
    kind: 'pure',
    rooms: [...LEAVES, ...PURE.slice(at + 1)],
    packages: room === 'shared/soa-configs' ? ['js-yaml', 'ajv', 'ajv-formats'] : [],
    node: [],
  })),
  ...OVER_INTERFACES.map((room): Room => ({ room, kind: 'over interfaces', rooms: [...LEAVES, ...PURE], packages: [], node: [] })),
  ...Object.entries(ADAPTERS).map(([room, packages]): Room => ({
    room,
    kind: 'adapter',
    rooms: [...LEAVES, 'shared/process', 'shared/network'].filter((other) => other !== room),
    packages,
    node: 'all',
  })),
  ...STAGES.map((room): Room => ({
    room,
    kind: 'stage',
    packages: [],
    node: 'all',
    rooms: [
      ...LEAVES,
      ...PURE,
      ...OVER_INTERFACES,
      ...Object.keys(ADAPTERS).filter((adapter) => adapter !== 'shared/kubernetes' || CLUSTER_STAGES.includes(room)),
    ],
  })),
  {
    room: 'cli',
    kind: 'command',
    rooms: [
      ...LEAVES,
      ...PURE,
      ...OVER_INTERFACES,
      ...Object.keys(ADAPTERS).filter((adapter) => adapter !== 'shared/kubernetes'),
      ...STAGES,
    ],
    packages: [],
    node: 'all',
  },
];

/** The room of a file (path from the root, with `/`); `undefined` outside `src/`. */
export function roomOf(file: string): Room | undefined {
  return ROOMS.find(({ room }) => file.startsWith(`src/${room}/`));
}

/**
 * Why an import is forbidden; `undefined` when it is allowed. `specifier` is a package, a module of Node, or the imported file
 * as a path from the root.
 */
export function forbidden(importer: string, specifier: string): string | undefined {
  const from = roomOf(importer);
  if (from === undefined)
    return importer.startsWith('src/') ? `${importer} is in no room of the house: add it to scripts/import-rules.ts` : undefined;
  if (specifier.startsWith('node:'))
    return from.node === 'all' || from.node.includes(specifier) ? undefined : `${from.kind} room ${from.room} may not use ${specifier}`;
  if (!specifier.startsWith('src/')) {
    if (/^(?:test|scripts|dist|examples)\/|\.json$/.test(specifier)) return `src may not import ${specifier}`;
    const name = packageOf(specifier);
    if (from.packages.includes(name)) return undefined;
    const door = ROOMS.find(({ packages }) => packages.includes(name));
    return door === undefined ? `${name} has no door in the house` : `${name} enters only through src/${door.room}`;
  }
  const to = roomOf(specifier);
  if (to === undefined) return `${specifier} is in no room of the house`;
  if (to.room === from.room) return stageIndex(importer, specifier);
  if (!from.rooms.includes(to.room)) return `${from.kind} room ${from.room} may not import ${to.kind} room ${to.room}`;
  if (from.kind === 'command' && to.kind === 'stage' && !STAGE_DOORS.some((door) => specifier === `src/${to.room}/${door}`))
    return `the command may import only ${STAGE_DOORS.join(' and ')} of a stage`;
  if (isStageIndex(importer, from) && (to.kind === 'pure' || to.kind === 'over interfaces'))
    return `${importer} wires and calls: it may not import ${to.kind} room ${to.room}`;
  return undefined;
}

function isStageIndex(file: string, { kind, room }: Room): boolean {
  return kind === 'stage' && file === `src/${room}/index.ts`;
}

/** `index.ts` runs when it is imported: nothing may import it. */
function stageIndex(importer: string, specifier: string): string | undefined {
  const room = roomOf(importer);
  return room !== undefined && isStageIndex(specifier, room) ? `${specifier} starts the action when it is imported` : undefined;
}

/** `@scope/name` or `name` of a specifier. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The same table for `no-restricted-imports`, one block for each room. */
export function restrictedImports(): readonly { readonly files: readonly string[]; readonly rules: Readonly<Record<string, unknown>> }[] {
  const packages = [...new Set(ROOMS.flatMap((room) => room.packages))];
  return ROOMS.map((room) => {
    const rooms = ROOMS.filter((other) => other.room !== room.room && !room.rooms.includes(other.room));
    const patterns = [
      ...rooms.map((other) => ({
        regex: `^(?:\\.\\./)+(?:${other.room}|${other.room.replace(/^shared\//, '')})/`,
        message: `${room.kind} room ${room.room} may not import ${other.kind} room ${other.room}`,
      })),
      ...packages
        .filter((name) => !room.packages.includes(name))
        .map((name) => ({
          regex: `^${name}(?:/|$)`,
          message: `${name} enters only through src/${ROOMS.find((other) => other.packages.includes(name))?.room ?? ''}`,
        })),
      ...(room.node === 'all'
        ? []
        : [
            {
              regex: `^node:(?!(?:${room.node.map((name) => name.slice(5)).join('|') || '$'})$)`,
              message: `${room.kind} room ${room.room} may not use modules of Node`,
            },
          ]),
      {
        regex: '^(?:fs|path|os|http|https|crypto|child_process|url|util|stream|events|net|tls)(?:/|$)',
        message: 'write node:… for modules of Node',
      },
    ];
    return { files: [`src/${room.room}/**/*.ts`], rules: { 'no-restricted-imports': ['error', { patterns }] } };
  });
}
