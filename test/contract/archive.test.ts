/** What a runner downloads of this repository: `git archive` of the commit, without what no action needs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { actionDirectories, readAction } from '../../scripts/docs.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

describe('the archive of the repository', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'paasta-archive-'));
    const packed = execFileSync('git', ['-C', ROOT, 'archive', '--worktree-attributes', 'HEAD'], { maxBuffer: 256 * 1024 * 1024 });
    execFileSync('tar', ['-x', '-C', directory], { input: packed });
  });
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  it('has what is run and what people read first, and nothing else', () => {
    expect(readdirSync(directory).sort()).toEqual(
      [
        '.gitattributes',
        '.github',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'SECURITY.md',
        ...actionDirectories(),
        'bin',
        'dist',
        'package-lock.json',
        'package.json',
      ].sort(),
    );
    expect(readdirSync(join(directory, '.github', 'workflows')).filter((name) => !name.startsWith('paasta-'))).toEqual([]);
  });

  it.each(actionDirectories())('%s starts from it, without node_modules, and says what it lacks', (action) => {
    const main = join(directory, action, readAction(action).runs.main ?? '');
    expect(existsSync(main)).toBe(true);
    const run = spawnSync(process.execPath, [main], {
      cwd: directory,
      env: { PATH: '/usr/bin:/bin', HOME: directory, GITHUB_ACTIONS: 'true' },
      encoding: 'utf8',
      timeout: 600_000,
    });
    expect(run.stdout).toMatch(new RegExp(`^::error title=paasta-${action.replace(/^action-/, '')}%3A [A-Z_]+`, 'm'));
    expect(run.stdout).not.toContain('INTERNAL_ERROR');
    expect(run.stderr).toBe('');
    expect(run.status).toBe(1);
  });

  it('runs the command', () => {
    const run = spawnSync(process.execPath, [join(directory, 'bin', 'paasta.mjs'), '--help'], {
      env: { PATH: '/usr/bin:/bin', HOME: directory },
      encoding: 'utf8',
      timeout: 600_000,
    });
    expect(run.stdout).toContain('mark-for-deployment');
    expect(run.status).toBe(0);
  });
});
