/**
 * Debian packages unpacked into the user's cache: nothing is installed, no root, the system's sources are left alone.
 * A private apt configuration is derived from the system's sources by changing the suite, so no host is written here.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cacheRoot } from './places.ts';
import { withLock } from './lock.ts';
import { must, which } from './run.ts';
import { TestbedError } from './say.ts';
import type { Log } from './say.ts';

/** `own`: the suite that the machine itself runs, for programs that are linked against its libraries. */
export type Suite = 'own' | 'trixie' | 'sid';

interface Release {
  readonly id: string;
  readonly codename: string;
}

function release(): Release {
  let text = '';
  try {
    text = fs.readFileSync('/etc/os-release', 'utf8');
  } catch {
    /* not Linux */
  }
  const field = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), codename: field('VERSION_CODENAME') };
}

/** Why packages of this suite cannot be brought here; undefined when they can. */
export function cannotBring(suite: Suite): string | undefined {
  const { id, codename } = release();
  for (const program of ['apt-get', 'dpkg-deb'])
    if (which(program) === undefined) return `${program} is not here (this is ${id === '' ? os.platform() : id})`;
  if (codename === '') return '/etc/os-release names no VERSION_CODENAME';
  if (suite !== 'own' && id !== 'debian') return `this is ${id}, and ${suite} is a suite of Debian`;
  return undefined;
}

function packageRoot(suite: Suite): string {
  const name = suite === 'own' ? release().codename : suite;
  return path.join(cacheRoot(), 'debian', `${name}-${os.arch()}`);
}

/** An unpacked set of packages that is there already: its root directory. */
export function unpacked(suite: Suite, packages: readonly string[]): string | undefined {
  const root = packageRoot(suite),
    [first = ''] = packages;
  let names: string[];
  try {
    names = fs.readdirSync(root);
  } catch {
    return undefined;
  }
  const found = names
    .filter((n) => n.startsWith(`${first}_`))
    .sort()
    .reverse();
  const complete = found.find((n) => {
    const versions = fs.readFileSync(path.join(root, n, 'VERSIONS'), 'utf8');
    return packages.every((p) => versions.includes(`${p} `));
  });
  return complete === undefined ? undefined : path.join(root, complete);
}

/** Rewrites the machine's own sources for another suite; sid has neither a security nor an updates suite. */
export function sourcesFor(text: string, codename: string, suite: string, format: 'deb822' | 'list'): string {
  const renamed = text.replaceAll(new RegExp(`\\b${codename}\\b`, 'g'), suite);
  if (suite !== 'sid') return renamed;
  if (format === 'list')
    return renamed
      .split('\n')
      .filter((l) => !/security|updates/.test(l))
      .join('\n');
  return renamed
    .split(/\n\s*\n/)
    .filter((s) => !/security/.test(s))
    .map((s) => s.replace(/^Suites:.*$/m, 'Suites: sid'))
    .join('\n\n');
}

/** Lays down an apt configuration with lists and caches of its own; answers the path for `APT_CONFIG`. */
function aptConfiguration(suite: Suite, dir: string): string {
  const { codename } = release();
  const target = suite === 'own' ? codename : suite;
  const modern = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list.d/ubuntu.sources'].find((f) => fs.existsSync(f));
  const classic = '/etc/apt/sources.list';
  const from = modern ?? classic;
  if (!fs.existsSync(from)) throw new TestbedError('no apt sources found on this machine', `looked for ${classic} and debian.sources`);
  for (const d of ['lists/partial', 'cache/archives/partial', 'state']) fs.mkdirSync(path.join(dir, d), { recursive: true });
  const list = path.join(dir, modern === undefined ? 'x.list' : 'x.sources');
  fs.writeFileSync(list, sourcesFor(fs.readFileSync(from, 'utf8'), codename, target, modern === undefined ? 'list' : 'deb822'));
  fs.writeFileSync(path.join(dir, 'status'), '');
  const file = path.join(dir, 'apt.conf');
  fs.writeFileSync(
    file,
    [
      `Dir::State "${dir}/state";`,
      `Dir::State::lists "${dir}/lists";`,
      `Dir::State::status "${dir}/status";`,
      `Dir::Cache "${dir}/cache";`,
      `Dir::Etc::sourcelist "${list}";`,
      'Dir::Etc::sourceparts "/dev/null";',
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      `APT::Sandbox::User "${os.userInfo().username}";`,
      'Acquire::Languages "none";',
      '',
    ].join('\n'),
  );
  return file;
}

/** Brings packages of a suite into the cache (once) and answers the directory that they were unpacked to. */
export async function bring(suite: Suite, packages: readonly string[], log: Log): Promise<string> {
  const there = unpacked(suite, packages);
  if (there !== undefined) return there;
  const why = cannotBring(suite);
  if (why !== undefined) throw new TestbedError(`cannot bring ${packages.join(', ')}: ${why}`);
  const root = packageRoot(suite);
  return withLock(
    path.join(root, '.lock'),
    async () => {
      const meanwhile = unpacked(suite, packages);
      if (meanwhile !== undefined) return meanwhile;
      const apt = aptConfiguration(suite, path.join(root, '.apt')),
        temporary = fs.mkdtempSync(path.join(root, '.new-'));
      try {
        const env = { APT_CONFIG: apt, DEBIAN_FRONTEND: 'noninteractive' };
        await must(['apt-get', '-qq', 'update'], { env });
        const debs = path.join(temporary, 'debs'),
          tree = path.join(temporary, 'tree');
        fs.mkdirSync(debs);
        fs.mkdirSync(tree);
        await must(['apt-get', '-qq', 'download', ...packages], { env, cwd: debs });
        let versions = '',
          firstVersion = '';
        for (const deb of fs.readdirSync(debs)) {
          const file = path.join(debs, deb);
          await must(['dpkg-deb', '-x', file, tree]);
          const [name = '', version = ''] = (await must(['dpkg-deb', '-W', '--showformat=${Package}\n${Version}', file])).split('\n');
          versions += `${name} ${version}\n`;
          if (name === packages[0]) firstVersion = version;
        }
        fs.writeFileSync(path.join(tree, 'VERSIONS'), versions);
        const target = path.join(root, `${packages[0] ?? ''}_${firstVersion.replaceAll(/[^\w.+~-]/g, '_')}`);
        fs.rmSync(target, { recursive: true, force: true });
        fs.renameSync(tree, target);
        return target;
      } finally {
        fs.rmSync(temporary, { recursive: true, force: true });
        fs.rmSync(path.join(root, '.apt', 'cache', 'archives'), { recursive: true, force: true });
      }
    },
    log,
  );
}
