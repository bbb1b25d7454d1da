/**
 * The GitHub double: GitHub's REST API and git over HTTP on 127.0.0.1, over real bare repositories. Every exchange is
 * judged against GitHub's own OpenAPI description; `violations()` must be empty at the end of a test.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BareRepository } from './bare.ts';
import type { FileChange } from './bare.ts';
import { Faults } from './faults.ts';
import { serve } from './server.ts';
import type { RequestLine, World } from './server.ts';
import { RepositoryState } from './state.ts';
import type { Rules, TokenOptions } from './state.ts';

export type { FileChange } from './bare.ts';
export type { Fault } from './faults.ts';
export { Faults } from './faults.ts';
export type { RequestLine } from './server.ts';
export type { RepositoryState, Rules, TokenOptions } from './state.ts';

export interface StartOptions {
  /** Directory of the bare repositories (`owner/name.git` below it; those that exist are served). Temporary when absent. */
  readonly root?: string;
  /** Port on 127.0.0.1; free one when absent. */
  readonly port?: number;
  /** Serves `/_double/…` for use from another process (the command line does). */
  readonly administration?: boolean;
}

export interface CreateOptions {
  /** Files of the first commit on `main`; without them the repository is empty. */
  readonly files?: Readonly<Record<string, FileChange>>;
  /** Not readable without a token. Default false. */
  readonly private?: boolean;
  /** Message of the first commit. */
  readonly message?: string;
}

/** A repository of the double. */
export interface DoubleRepository {
  readonly owner: string;
  readonly name: string;
  readonly bareDir: string;
  /** `http://127.0.0.1:<port>/<owner>/<name>.git` */
  readonly cloneUrl: string;
  /** Id of the first commit, empty for an empty repository. */
  readonly firstCommit: string;
  /** Deployments, statuses, comments, check runs, dispatches…: what the API wrote, newest first. */
  readonly state: RepositoryState;
  commit(files: Readonly<Record<string, FileChange>>, message: string, branch?: string): Promise<string>;
  /** Names of tags (without `refs/tags/`) with the ids that they hold. */
  tags(): Promise<Readonly<Record<string, string>>>;
  /** Sets a ref directly, as somebody else would. */
  setRef(ref: string, sha: string): Promise<void>;
  /** Any git command in the bare repository. */
  git(...argv: string[]): Promise<string>;
}

export interface GitHubDouble {
  /** `http://127.0.0.1:<port>`: pages and git; what `GITHUB_SERVER_URL` is. REST answers here too, as at api.github.com. */
  readonly url: string;
  /** `<url>/api/v3`: what `GITHUB_API_URL` is on an Enterprise server. */
  readonly apiUrl: string;
  readonly root: string;
  createRepository(owner: string, name: string, options?: CreateOptions): Promise<DoubleRepository>;
  repository(owner: string, name: string): DoubleRepository;
  /** Makes a token. Without permissions it is a person with admin rights. */
  addToken(options?: TokenOptions): string;
  readonly faults: Faults;
  /** Switches of the server's rules; change them in place. */
  readonly rules: Rules;
  /** Every request in order, REST and git. */
  readonly requests: RequestLine[];
  /** How many requests of an operation arrived (all when absent). */
  count(operation?: string): number;
  /** Everything that the description rejected or did not know, ours and the client's. */
  violations(): readonly string[];
  /** Empties request log, violations and planted faults. */
  reset(): void;
  stop(): Promise<void>;
}

export async function startGitHub(options: StartOptions = {}): Promise<GitHubDouble> {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'paasta-github-'));
  mkdirSync(root, { recursive: true });
  let lastId = 1000;
  const handles = new Map<string, DoubleRepository>();
  const world: World = {
    repositories: new Map(),
    tokens: new Map(),
    faults: new Faults(),
    rules: { workflows: true, protectedRefs: null },
    requests: [],
    violations: [],
    nextId: () => {
      lastId += 1;
      return lastId;
    },
    ...(options.administration === true ? { administer } : {}),
  };
  const server = serve(world);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', () => {
      resolve();
    });
  });
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;

  async function createRepository(owner: string, name: string, create: CreateOptions = {}): Promise<DoubleRepository> {
    for (const part of [owner, name]) if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(part)) throw new Error(`not a name at GitHub: ${part}`);
    const git = await BareRepository.create(join(root, owner, `${name}.git`));
    const state = new RepositoryState(world.nextId(), owner, name, create.private === true, git);
    world.repositories.set(state.fullName.toLowerCase(), state);
    const existing = await git.resolve('main');
    const firstCommit = create.files === undefined ? (existing ?? '') : await git.commit(create.files, create.message ?? 'first commit');
    const handle: DoubleRepository = {
      owner,
      name,
      bareDir: git.directory,
      cloneUrl: `${url}/${owner}/${name}.git`,
      firstCommit,
      state,
      commit: (files, message, branch) => git.commit(files, message, branch),
      tags: async () =>
        Object.fromEntries((await git.refs('refs/tags/')).map((entry) => [entry.ref.slice('refs/tags/'.length), entry.sha])),
      setRef: async (ref, sha) => {
        await git.must(['update-ref', ref, sha]);
      },
      git: async (...argv) => git.must(argv),
    };
    handles.set(state.fullName.toLowerCase(), handle);
    return handle;
  }

  function repository(owner: string, name: string): DoubleRepository {
    const found = handles.get(`${owner}/${name}`.toLowerCase());
    if (found === undefined) throw new Error(`no repository ${owner}/${name} in the double`);
    return found;
  }

  function addToken(token: TokenOptions = {}): string {
    const value = token.token ?? `ghs_${randomBytes(18).toString('hex')}`;
    world.tokens.set(value, {
      token: value,
      permissions: token.permissions ?? 'all',
      repositories: token.repositories,
      login: token.login ?? 'github-actions[bot]',
    });
    return value;
  }

  /** The same functions for another process: JSON in, JSON out. */
  async function administer(
    method: string,
    path: string,
    body: Record<string, unknown>,
  ): Promise<{ status: number; body: import('./description.ts').Json }> {
    const plain = (value: unknown): import('./description.ts').Json => JSON.parse(JSON.stringify(value)) as import('./description.ts').Json;
    switch (`${method} ${path}`) {
      case 'GET requests':
        return { status: 200, body: plain(world.requests) };
      case 'GET violations':
        return { status: 200, body: plain(world.violations) };
      case 'GET state':
        return {
          status: 200,
          body: plain(
            [...world.repositories.values()].map((state) => ({
              ...state,
              hidden: [...state.hidden],
              environments: [...state.environments.values()],
              collaborators: [...state.collaborators],
            })),
          ),
        };
      case 'POST tokens':
        return { status: 201, body: { token: addToken(body as TokenOptions) } };
      case 'POST repositories': {
        const made = await createRepository(String(body['owner']), String(body['name']), body as CreateOptions);
        return { status: 201, body: { bareDir: made.bareDir, cloneUrl: made.cloneUrl, firstCommit: made.firstCommit } };
      }
      case 'POST commits': {
        const sha = await repository(String(body['owner']), String(body['name'])).commit(
          body['files'] as Record<string, FileChange>,
          String(body['message']),
          (body['branch'] as string | undefined) ?? 'main',
        );
        return { status: 201, body: { sha } };
      }
      case 'POST faults':
        world.faults.add(body as unknown as import('./faults.ts').Fault);
        return { status: 201, body: {} };
      case 'POST rules':
        Object.assign(world.rules, body);
        return { status: 200, body: plain(world.rules) };
      case 'POST reset':
        reset();
        return { status: 200, body: {} };
      default:
        return { status: 404, body: { message: `no ${method} ${path}` } };
    }
  }

  function reset(): void {
    world.requests.length = 0;
    world.violations.length = 0;
    world.faults.clear();
  }

  for (const owner of readdirSync(root, { withFileTypes: true })) {
    if (!owner.isDirectory()) continue;
    for (const entry of readdirSync(join(root, owner.name)))
      if (entry.endsWith('.git')) await createRepository(owner.name, entry.slice(0, -4));
  }

  return {
    url,
    apiUrl: `${url}/api/v3`,
    root,
    createRepository,
    repository,
    addToken,
    faults: world.faults,
    rules: world.rules,
    requests: world.requests,
    count: (operation) => world.requests.filter((line) => operation === undefined || line.operation === operation).length,
    violations: () => [...world.violations],
    reset,
    stop: async () => {
      await new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      });
      if (options.root === undefined) rmSync(root, { recursive: true, force: true });
    },
  };
}
