/** Many bare repositories, cheaply: written by hand, with the objects of one shared store. Real git reads them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SharedStore {
  /** Its one commit. */
  readonly commit: string;
  /** An annotated tag object of it. */
  readonly tag: string;
  /** A repository with these refs, all packed. Full names; `peeled` for those that point at the tag object. */
  write(directory: string, refs: Readonly<Record<string, 'commit' | 'tag'>>): void;
}

/** Makes the store (a bare repository with one commit) at a path. */
export function sharedStore(directory: string): SharedStore {
  const env = {
    PATH: process.env['PATH'],
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'T',
    GIT_AUTHOR_EMAIL: 't@example.com',
    GIT_COMMITTER_NAME: 'T',
    GIT_COMMITTER_EMAIL: 't@example.com',
    GIT_AUTHOR_DATE: '1700000000 +0000',
    GIT_COMMITTER_DATE: '1700000000 +0000',
  };
  const git = (argv: readonly string[], input = ''): string => execFileSync('git', argv, { env, input, encoding: 'utf8' }).trim();
  git(['init', '-q', '--bare', '--template=', directory]);
  const tree = git(['-C', directory, 'mktree']);
  const commit = git(['-C', directory, 'commit-tree', tree, '-m', 'x']);
  const tag = git(['-C', directory, 'mktag'], `object ${commit}\ntype commit\ntag x\ntagger T <t@example.com> 1700000000 +0000\n\nx\n`);
  return {
    commit,
    tag,
    write(repository, refs) {
      for (const part of ['objects/info', 'refs/tags', 'refs/heads']) mkdirSync(join(repository, part), { recursive: true });
      writeFileSync(join(repository, 'HEAD'), 'ref: refs/heads/main\n');
      writeFileSync(join(repository, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n');
      writeFileSync(join(repository, 'objects/info/alternates'), `${join(directory, 'objects')}\n`);
      const lines = Object.entries(refs)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, kind]) => (kind === 'tag' ? `${tag} ${name}\n^${commit}\n` : `${commit} ${name}\n`));
      writeFileSync(join(repository, 'packed-refs'), `# pack-refs with: peeled fully-peeled sorted \n${lines.join('')}`);
    },
  };
}
