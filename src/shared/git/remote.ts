/**
 * A repository on its server, through the `git` executable: refs are listed and tags created without a checkout. PaaSTA:
 * remote_git.py, which spoke receive-pack itself and forced the refs; here a tag is never forced.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CancelledError, UserError } from '../contract/errors.ts';
import type { Mask } from '../contract/ports.ts';
import type { Ref } from '../contract/ref.ts';
import { markRefPrefix } from '../contract/tags.ts';
import type { Run, RunResult } from '../process/index.ts';
import { parseGitUrl } from './address.ts';
import type { GitAddress } from './address.ts';
import { coveredBy, expandIn, hasCommit, isShallow, relationIn } from './checkout.ts';
import type { CommitRelation } from './checkout.ts';
import { explainGit, isPassing } from './explain.ts';
import { gitDirectory, newestMarkOf, newestPackedMark, packedRefs } from './packed-refs.ts';
import type { NewestMark } from './packed-refs.ts';

export type { Ref };

export interface GitOptions {
  readonly url: string;
  readonly run: Run;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly mask: Mask;
  /** Token for an http(s) address; wins over credentials in the address and over what the checkout has stored. */
  readonly token?: string | undefined;
  /** Directory in which a relative path as `url` is meant. Default: the current one. */
  readonly workingDirectory?: string | undefined;
  /** A checkout of the same repository, when there is one: its objects spare fetching. */
  readonly checkout?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds that one git command may take. PaaSTA: 60 s. */
  readonly timeout?: number;
  /** Milliseconds before a passing failure is tried again. Default 1000. */
  readonly backOff?: number;
}

export interface GitRemote {
  readonly address: GitAddress;
  /** Refs whose full name begins with the prefix; only refs below `refs/tags/` (or `refs/heads/`) travel when the prefix is there. */
  listRefs(prefix: string): Promise<readonly Ref[]>;
  /** As `listRefs` for several prefixes, with one question to the server. */
  listRefsOf(prefixes: readonly string[]): Promise<readonly Ref[]>;
  /** The newest mark of a deploy group. In a repository on this machine without reading all the tags. */
  newestMark(deployGroup: string): Promise<NewestMark | undefined>;
  /** Creates a light tag (name without `refs/tags/`) on a commit that the server has. Never forced. */
  createTag(name: string, sha: string): Promise<'created' | 'exists'>;
  /** Full id of the one commit that begins so, of those that refs point at (as PaaSTA) and that the checkout knows; a branch or tag name is none. `undefined`: there is none, or several. */
  expandCommit(text: string): Promise<string | undefined>;
  /** How `head` stands to `base`: from the checkout when it knows both, else from the server's history (commits only). */
  relation(base: string, head: string): Promise<CommitRelation>;
}

const attempts = 3;
/** Generations of history that are fetched (commits only, some 300 bytes each) so that the server's head covers the commit and a push sends nothing. */
const coveredGenerations = 200;

/** Environment of git: no prompts, no other transports, English, and the credential as a header that is written nowhere. */
export function gitEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  address: GitAddress,
  basic: string | undefined,
): Record<string, string | undefined> {
  const settings: [string, string][] = [['protocol.version', '2']];
  if (address.kind === 'http' && basic !== undefined) {
    // The same key as actions/checkout uses, emptied first: two Authorization headers are refused by GitHub.
    const key = `http.${new URL(address.url).origin}/.extraHeader`;
    settings.push([key, ''], [key, `Authorization: Basic ${basic}`], ['credential.helper', '']);
  }
  const before = Number(env['GIT_CONFIG_COUNT'] ?? '0') || 0;
  const entries = settings.flatMap(([key, value], index) => [
    [`GIT_CONFIG_KEY_${String(before + index)}`, key],
    [`GIT_CONFIG_VALUE_${String(before + index)}`, value],
  ]);
  return {
    ...env,
    ...(Object.fromEntries(entries) as Record<string, string>),
    GIT_CONFIG_COUNT: String(before + settings.length),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GCM_INTERACTIVE: 'never',
    GIT_SSH_COMMAND: env['GIT_SSH_COMMAND'] ?? 'ssh -oBatchMode=yes -oConnectTimeout=20',
    GIT_ALLOW_PROTOCOL: 'http:https:ssh:git:file',
    LC_ALL: 'C',
    // git's TLS library does not read Node's variable: one private CA for every client.
    ...(env['GIT_SSL_CAINFO'] === undefined && env['SSL_CERT_FILE'] === undefined && env['NODE_EXTRA_CA_CERTS'] !== undefined
      ? { GIT_SSL_CAINFO: env['NODE_EXTRA_CA_CERTS'] }
      : {}),
  };
}

/** Throws `UserError` INVALID_GIT_URL. Asks nobody yet; the operations throw `UserError` (see explain.ts) and `CancelledError`. */
export function connectGit(options: GitOptions): GitRemote {
  const { run, mask, signal, checkout } = options;
  const parsed = parseGitUrl(options.url);
  const address =
    parsed.kind === 'local' && !parsed.url.startsWith('file:')
      ? { ...parsed, url: resolve(options.workingDirectory ?? '.', parsed.url) }
      : parsed;
  /** A repository on this machine is its own checkout. */
  const localDirectory = address.kind !== 'local' ? undefined : address.url.startsWith('file:') ? fileURLToPath(address.url) : address.url;
  const timeout = options.timeout ?? 60_000;
  const backOff = options.backOff ?? 1000;
  const password = options.token ?? address.credentials?.password;
  const username = options.token === undefined ? (address.credentials?.username ?? '') : 'x-access-token';
  const basic = password === undefined || password === '' ? undefined : Buffer.from(`${username}:${password}`).toString('base64');
  for (const secret of [password, basic]) if (secret !== undefined && secret !== '') mask(secret);
  const env = gitEnvironment(options.env, address, basic);

  const git = async (argv: readonly string[], cwd?: string): Promise<RunResult> => {
    const result = await run(['git', ...argv], {
      env,
      timeout,
      ...(cwd === undefined ? {} : { cwd }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.cancelled || signal?.aborted === true) throw new CancelledError();
    return result;
  };
  const outputOf = (result: RunResult): string => `${result.stderr}\n${result.stdout}`;
  const fail = (what: string, result: RunResult): UserError =>
    new UserError(
      explainGit({
        what,
        address,
        output: outputOf(result),
        timedOut: result.timedOut,
        timeout: timeout / 1000,
        authenticated: basic !== undefined || address.kind === 'ssh',
      }),
    );
  /** Tries again while the server or the network is at fault. */
  const patient = async (argv: readonly string[], cwd?: string): Promise<RunResult> => {
    for (let attempt = 1; ; attempt += 1) {
      const result = await git(argv, cwd);
      if (result.code === 0 || attempt >= attempts || result.timedOut || !isPassing(outputOf(result))) return result;
      await sleep(backOff * attempt * attempt, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw new CancelledError();
      });
    }
  };
  /** A bare repository of our own for the time of one operation. Objects of a local repository are seen through alternates. */
  const inScratch = async <T>(body: (directory: string) => Promise<T>): Promise<T> => {
    const directory = await mkdtemp(join(tmpdir(), 'paasta-git-'));
    try {
      const made = await git(['init', '-q', '--bare', directory]);
      if (made.code !== 0) throw fail('prepare a scratch repository', made);
      return await body(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };

  /** Refs of a repository on this machine, without a server: from its packed file, else from git. `undefined`: ask it as a server. */
  const listLocal = async (prefixes: readonly string[]): Promise<readonly Ref[] | undefined> => {
    const gitDir =
      localDirectory === undefined || !prefixes.every((prefix) => /^refs\/(?:tags|heads)\//.test(prefix))
        ? undefined
        : gitDirectory(localDirectory);
    if (gitDir === undefined) return undefined;
    const packed = prefixes.map((prefix) => packedRefs(gitDir, prefix));
    if (packed.every((read) => read !== undefined)) return packed.flatMap((read) => read?.found ?? []);
    // Patterns that a name could make special are left to us: git looks at whole name spaces then.
    const patterns = prefixes.flatMap((prefix) =>
      /[*?[\\]/.test(prefix) ? [prefix.slice(0, prefix.indexOf('/', 5))] : [`${prefix}*`, `${prefix}*/**`],
    );
    const result = await git([
      `--git-dir=${gitDir}`,
      'for-each-ref',
      '--format=%(refname)%09%(objectname)%09%(*objectname)%09%(*objecttype)',
      ...patterns,
    ]);
    if (result.code !== 0) return undefined;
    const lines = result.stdout
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([name = '']) => prefixes.some((prefix) => name !== '' && name.startsWith(prefix)));
    // A tag of a tag: this git dereferences only once.
    return lines.some(([, , , type]) => type === 'tag')
      ? undefined
      : lines.map(([name = '', sha = '', peeled = '']) => ({ name, sha: peeled === '' ? sha : peeled }));
  };

  const list = async (prefix: string, what: string): Promise<readonly Ref[]> => listAll([prefix], what);
  const listAll = async (prefixes: readonly string[], what: string): Promise<readonly Ref[]> => {
    const local = await listLocal(prefixes);
    if (local !== undefined) return local;
    // git sends ref-prefix only for whole name spaces; what is left of the prefix is ours to apply.
    const scopes = prefixes.map((prefix) =>
      prefix.startsWith('refs/tags/') ? '--tags' : prefix.startsWith('refs/heads/') ? '--heads' : '',
    );
    const result = await patient(['ls-remote', '--quiet', ...(scopes.includes('') ? [] : new Set(scopes)), '--', address.url]);
    if (result.code !== 0) throw fail(what, result);
    const refs = new Map<string, string>();
    for (const line of result.stdout.split('\n')) {
      const [sha = '', name = ''] = line.split('\t');
      if (!prefixes.some((prefix) => name.startsWith(prefix))) continue;
      // An annotated tag is followed by what it points at, under its name with ^{}.
      refs.set(name.replace(/\^\{\}$/, ''), sha);
    }
    return [...refs].map(([name, sha]) => ({ name, sha }));
  };

  /** Makes the commit known in the scratch repository without its files, with enough of the head's history to cover it. */
  const fetchCommit = async (directory: string, sha: string, what: string): Promise<void> => {
    const both = await patient(
      ['fetch', '--quiet', '--no-tags', '--filter=tree:0', `--depth=${String(coveredGenerations)}`, '--', address.url, sha, 'HEAD'],
      directory,
    );
    if (both.code === 0) return;
    // HEAD of the server may point at a branch that does not exist.
    const alone = await patient(['fetch', '--quiet', '--no-tags', '--filter=tree:0', '--depth=1', '--', address.url, sha], directory);
    if (alone.code !== 0) throw fail(what, alone);
  };

  const push = async (directory: string, name: string, sha: string): Promise<'created' | 'exists'> => {
    const what = `push the tag ${name}`;
    const ref = `refs/tags/${name}`;
    for (let attempt = 1; ; attempt += 1) {
      const result = await git(
        [
          'push',
          '--porcelain',
          '--no-verify',
          '--no-follow-tags',
          '--no-signed',
          '--recurse-submodules=no',
          '--',
          address.url,
          `${sha}:${ref}`,
        ],
        directory,
      );
      const line = result.stdout.split('\n').find((text) => text.includes(`:${ref}\t`)) ?? '';
      if (result.code === 0) return line.startsWith('=') ? (attempt > 1 ? 'created' : 'exists') : 'created';
      if (line.includes('(already exists)') || /reference already exists/i.test(outputOf(result))) {
        // Ours, when an earlier try of this push was carried out although it looked failed.
        return attempt > 1 && (await list(ref, what)).some((found) => found.name === ref && found.sha === sha) ? 'created' : 'exists';
      }
      if (attempt >= attempts || result.timedOut || !isPassing(outputOf(result))) throw fail(what, result);
      await sleep(backOff * attempt * attempt, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw new CancelledError();
      });
    }
  };

  return {
    address,
    listRefs: (prefix) => list(prefix, `list the refs ${prefix}*`),
    listRefsOf: (prefixes) => listAll(prefixes, `list the refs ${prefixes.map((prefix) => `${prefix}*`).join(' and ')}`),
    newestMark: async (deployGroup) => {
      const gitDir = localDirectory === undefined ? undefined : gitDirectory(localDirectory);
      const packed = gitDir === undefined ? undefined : newestPackedMark(gitDir, deployGroup);
      return packed === undefined
        ? newestMarkOf(await list(markRefPrefix(deployGroup), `find the newest mark of ${deployGroup}`), deployGroup)
        : packed.found;
    },
    createTag: async (name, sha) => {
      if (localDirectory !== undefined && (await hasCommit(run, localDirectory, sha))) return push(localDirectory, name, sha);
      if (checkout !== undefined && (await hasCommit(run, checkout, sha))) {
        // A push from the checkout would publish a commit that the server has not seen. PaaSTA pushes no objects, so that this fails.
        const advertised = (await list('refs/', `create the tag ${name}`)).map((ref) => ref.sha);
        if (await coveredBy(run, checkout, sha, advertised)) return push(resolve(checkout), name, sha);
      }
      return inScratch(async (directory) => {
        await fetchCommit(directory, sha, `create the tag ${name}`);
        return push(directory, name, sha);
      });
    },
    expandCommit: async (text) => {
      const beginning = text.toLowerCase();
      if (!/^[0-9a-f]{4,40}$/.test(beginning)) return undefined;
      const found = new Set(
        (await list('refs/', `find the commit ${text}`)).map((ref) => ref.sha).filter((sha) => sha.startsWith(beginning)),
      );
      for (const directory of [localDirectory, checkout]) {
        const known = directory === undefined ? undefined : await expandIn(run, directory, beginning);
        if (known !== undefined) found.add(known);
      }
      return found.size === 1 ? [...found][0] : undefined;
    },
    relation: async (base, head) => {
      if (base === head) return 'identical';
      for (const directory of [localDirectory, checkout]) {
        if (
          directory !== undefined &&
          !(await isShallow(run, directory)) &&
          (await hasCommit(run, directory, base)) &&
          (await hasCommit(run, directory, head))
        )
          return relationIn(run, directory, base, head);
      }
      return inScratch(async (directory) => {
        const fetched = await patient(['fetch', '--quiet', '--no-tags', '--filter=tree:0', '--', address.url, base, head], directory);
        if (fetched.code === 0) return relationIn(run, directory, base, head);
        const problem_ = fail(`compare ${base} with ${head}`, fetched);
        // A commit that the server has forgotten (a force-push over it) can be compared with nothing: that is an answer.
        if (problem_.problems[0]?.code === 'COMMIT_NOT_ON_SERVER') return 'unknown';
        throw problem_;
      });
    },
  };
}
