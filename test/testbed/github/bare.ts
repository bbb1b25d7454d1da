/** A bare repository through git plumbing: the state behind refs, commits, contents and comparisons. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

export interface GitResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Text of a file, or its text and mode; `null` removes it. */
export type FileChange = string | null | { readonly content: string; readonly executable?: boolean };

export interface CommitText {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: { readonly name: string; readonly email: string; readonly date: string };
  readonly committer: { readonly name: string; readonly email: string; readonly date: string };
  readonly message: string;
}

const gitEnvironment = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
  LC_ALL: 'C',
  GIT_AUTHOR_NAME: 'Testbed',
  GIT_AUTHOR_EMAIL: 'testbed@example.com',
  GIT_COMMITTER_NAME: 'Testbed',
  GIT_COMMITTER_EMAIL: 'testbed@example.com',
};

export function gitIn(directory: string, argv: readonly string[], input?: string): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    const child = spawn('git', ['-C', directory, ...argv], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...gitEnvironment },
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code: code ?? 1, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
}

/**
 * GitHub refuses that a token without the workflows permission moves refs to commits whose workflow files no branch has,
 * and refs that a ruleset protects. Over the git protocol both are decided before the ref is written: here by a hook that
 * the environment of `git http-backend` steers.
 */
const updateHook = `#!/bin/sh
ref=$1 new=$3
zero=0000000000000000000000000000000000000000
[ "$new" = "$zero" ] && exit 0
if [ -n "$GITHUB_DOUBLE_PROTECTED" ]; then
  case "$ref" in
    $GITHUB_DOUBLE_PROTECTED)
      echo "error: GH013: Repository rule violations found for $ref."
      echo "Review all repository rules at the rules page of the repository"
      echo "- Cannot create ref due to creations being restricted."
      exit 1;;
  esac
fi
if [ -n "$GITHUB_DOUBLE_NO_WORKFLOWS" ]; then
  tree=$(git rev-parse -q --verify "$new:.github/workflows") || exit 0
  for head in $(git for-each-ref --format='%(objectname)' refs/heads); do
    [ "$(git rev-parse -q --verify "$head:.github/workflows")" = "$tree" ] && exit 0
  done
  file=$(git ls-tree --name-only "$tree" | head -n 1)
  echo "refusing to allow a GitHub App to create or update workflow \\\`.github/workflows/$file\\\` without \\\`workflows\\\` permission"
  exit 1
fi
exit 0
`;

export class BareRepository {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  static async create(directory: string): Promise<BareRepository> {
    mkdirSync(directory, { recursive: true });
    const repository = new BareRepository(directory);
    if (!existsSync(join(directory, 'HEAD'))) {
      await repository.must(['init', '-q', '--bare', '-b', 'main', '.']);
      // What GitHub allows: any reachable or advertised object, partial clones, and refs that are never forced away.
      for (const [key, value] of [
        ['http.receivepack', 'true'],
        ['uploadpack.allowFilter', 'true'],
        ['uploadpack.allowAnySHA1InWant', 'true'],
        ['receive.advertiseAtomic', 'true'],
        ['gc.auto', '0'],
      ] as const) {
        await repository.must(['config', key, value]);
      }
    }
    mkdirSync(join(directory, 'hooks'), { recursive: true });
    writeFileSync(join(directory, 'hooks', 'update'), updateHook, { mode: 0o755 });
    return repository;
  }

  git(argv: readonly string[], input?: string): Promise<GitResult> {
    return gitIn(this.directory, argv, input);
  }

  async must(argv: readonly string[], input?: string): Promise<string> {
    const result = await this.git(argv, input);
    if (result.code !== 0) throw new Error(`git ${argv.join(' ')}: ${result.stderr}`);
    return result.stdout;
  }

  /** One commit on a branch through fast-import: a single process, no work tree. */
  async commit(files: Readonly<Record<string, FileChange>>, message: string, branch = 'main'): Promise<string> {
    const exists = (await this.git(['rev-parse', '-q', '--verify', `refs/heads/${branch}`])).code === 0;
    const block = (text: string): string => `data ${String(Buffer.byteLength(text))}\n${text}\n`;
    const now = `${String(Math.floor(Date.now() / 1000))} +0000`;
    let stream = `commit refs/heads/${branch}\nauthor Testbed <testbed@example.com> ${now}\ncommitter Testbed <testbed@example.com> ${now}\n${block(message)}`;
    if (exists) stream += `from refs/heads/${branch}^0\n`;
    for (const [path, change] of Object.entries(files)) {
      if (change === null) stream += `D ${path}\n`;
      else if (typeof change === 'string') stream += `M 100644 inline ${path}\n${block(change)}`;
      else stream += `M ${change.executable === true ? '100755' : '100644'} inline ${path}\n${block(change.content)}`;
    }
    await this.must(['fast-import', '--quiet', '--date-format=raw'], `${stream}\n`);
    return (await this.must(['rev-parse', `refs/heads/${branch}`])).trim();
  }

  /** Every ref whose full name starts with the prefix, tags unpeeled, in byte order as GitHub lists them. */
  async refs(prefix: string): Promise<{ ref: string; sha: string; type: string }[]> {
    const text = await this.must(['for-each-ref', '--format=%(refname) %(objectname) %(objecttype)']);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [ref = '', sha = '', type = ''] = line.split(' ');
        return { ref, sha, type };
      })
      .filter((entry) => entry.ref.startsWith(prefix));
  }

  /** Full commit id that a branch, tag, full or short id names. */
  async resolve(name: string): Promise<string | undefined> {
    for (const candidate of [`refs/heads/${name}`, `refs/tags/${name}`, name]) {
      const result = await this.git(['rev-parse', '-q', '--verify', '--end-of-options', `${candidate}^{commit}`]);
      if (result.code === 0) return result.stdout.trim();
    }
    return undefined;
  }

  async objectType(sha: string): Promise<string | undefined> {
    const result = await this.git(['cat-file', '-t', sha]);
    return result.code === 0 ? result.stdout.trim() : undefined;
  }

  async commitText(sha: string): Promise<CommitText> {
    const separator = '%x00';
    const text = await this.must([
      'show',
      '-s',
      `--format=${['%H', '%T', '%P', '%an', '%ae', '%aI', '%cn', '%ce', '%cI', '%B'].join(separator)}`,
      sha,
      '--',
    ]);
    const [id = '', tree = '', parents = '', an = '', ae = '', ad = '', cn = '', ce = '', cd = '', message = ''] = text.split('\0');
    return {
      sha: id,
      tree,
      parents: parents.split(' ').filter((parent) => parent !== ''),
      author: { name: an, email: ae, date: new Date(ad).toISOString() },
      committer: { name: cn, email: ce, date: new Date(cd).toISOString() },
      message: message.trimEnd(),
    };
  }

  /** Creates, moves (`old` is the value that must still stand) or refuses. */
  async updateRef(ref: string, sha: string, old: string): Promise<boolean> {
    return (await this.git(['update-ref', ref, sha, old])).code === 0;
  }

  /** True when the commit carries workflow files that no branch head has: what GitHub asks the workflows permission for. */
  async hasForeignWorkflows(sha: string): Promise<boolean> {
    const tree = await this.git(['rev-parse', '-q', '--verify', `${sha}:.github/workflows`]);
    if (tree.code !== 0) return false;
    for (const head of await this.refs('refs/heads/')) {
      const other = await this.git(['rev-parse', '-q', '--verify', `${head.sha}:.github/workflows`]);
      if (other.stdout.trim() === tree.stdout.trim()) return false;
    }
    return true;
  }
}

export const zeroSha = '0'.repeat(40);
