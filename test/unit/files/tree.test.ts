import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../../src/shared/contract/errors.ts';
import { openTree } from '../../../src/shared/files/tree.ts';

let root: string;
let outside: string;

beforeEach(() => {
  const base = mkdtempSync(join(tmpdir(), 'tree-'));
  root = join(base, 'soa');
  outside = join(base, 'outside');
  mkdirSync(join(root, 'web'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret.yaml'), 'a: 1');
  writeFileSync(join(root, 'web', 'service.yaml'), 'é: 1\n');
});

afterEach(() => {
  rmSync(join(root, '..'), { recursive: true, force: true });
});

function refusal(path: string): string {
  try {
    return `read ${JSON.stringify(openTree(root).read(path))}`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [p] = error.problems;
    return `${p?.code ?? ''} ${p?.file ?? '-'}${p?.line === undefined ? '' : `:${p.line}:${p.column ?? 0}`} ${p?.message.replace(outside, 'OUTSIDE') ?? ''}`;
  }
}

it('reads files and lists directories in byte order', () => {
  for (const name of ['b', 'B', 'ä', 'a']) writeFileSync(join(root, name), '');
  const tree = openTree(root);
  expect(tree.read('web/service.yaml')).toBe('é: 1\n');
  expect(tree.list('').map((e) => `${e.kind} ${e.name}`)).toEqual(['file B', 'file a', 'file b', 'directory web', 'file ä']);
  expect([tree.read('nothing'), tree.read('web/service.yaml/x'), tree.list('nothing'), tree.list('web/service.yaml')]).toEqual([
    undefined,
    undefined,
    [],
    [],
  ]);
});

it('is empty for a directory that does not exist', () => {
  const tree = openTree(join(root, 'missing'));
  expect([tree.read('a'), tree.list('')]).toEqual([undefined, []]);
});

it.each(['../outside/secret.yaml', '/etc/passwd', 'web/../../outside/secret.yaml', 'a\\b', 'a\0b'])(
  'does not leave the tree for %j',
  (path) => {
    expect(refusal(path)).toMatch(/^PATH_LEAVES_TREE/);
  },
);

it('follows links inside the tree, refuses those that leave it, loop or point at nothing', () => {
  symlinkSync('service.yaml', join(root, 'web', 'good.yaml'));
  symlinkSync(join(outside, 'secret.yaml'), join(root, 'web', 'escape.yaml'));
  symlinkSync(outside, join(root, 'escape'));
  symlinkSync('loop.yaml', join(root, 'web', 'loop.yaml'));
  symlinkSync('nowhere', join(root, 'web', 'broken.yaml'));
  symlinkSync('..', join(root, 'web', 'up'));
  symlinkSync('web', join(root, 'alias'));
  const tree = openTree(root);
  expect(tree.read('web/good.yaml')).toBe('é: 1\n');
  expect(tree.read('alias/service.yaml')).toBe('é: 1\n');
  // Links that cannot be used are listed as files, so that reading says why; a link to a directory above would never end.
  expect(tree.list('web').map((e) => `${e.kind} ${e.name}`)).toEqual([
    'file broken.yaml',
    'file escape.yaml',
    'file good.yaml',
    'file loop.yaml',
    'file service.yaml',
    'other up',
  ]);
  expect(refusal('web/escape.yaml')).toBe(
    'LINK_LEAVES_TREE web/escape.yaml the symbolic link leads out of the tree, to OUTSIDE/secret.yaml',
  );
  expect(refusal('escape/secret.yaml')).toBe(
    'LINK_LEAVES_TREE escape/secret.yaml the symbolic link leads out of the tree, to OUTSIDE/secret.yaml',
  );
  expect(refusal('web/loop.yaml')).toBe('LINK_LOOP web/loop.yaml the symbolic link leads back to itself');
  expect(refusal('web/broken.yaml')).toBe('LINK_BROKEN web/broken.yaml the symbolic link points at nothing');
  expect(() => tree.list('escape')).toThrow(UserError);
});

it('refuses files that are too large, not UTF-8, or no files', () => {
  writeFileSync(join(root, 'big.yaml'), 'x'.repeat(1_048_577));
  writeFileSync(join(root, 'latin.yaml'), Buffer.from([0x61, 0x0a, 0x62, 0xe9, 0x63]));
  writeFileSync(join(root, 'replaced.yaml'), Buffer.from([0xef, 0xbf, 0xbd, 0x0a, 0xff, 0x61]));
  writeFileSync(join(root, 'wide.yaml'), Buffer.from([0xff, 0xfe, 0x61, 0]));
  execFileSync('mkfifo', [join(root, 'pipe.yaml')]);
  expect(refusal('big.yaml')).toBe('FILE_TOO_LARGE big.yaml the file has 1048577 bytes; at most 1048576 are read');
  expect(refusal('latin.yaml')).toBe('FILE_ENCODING latin.yaml:2:2 the file is not UTF-8');
  expect(refusal('replaced.yaml')).toBe('FILE_ENCODING replaced.yaml:2:1 the file is not UTF-8');
  expect(refusal('wide.yaml')).toBe('FILE_ENCODING wide.yaml:1:1 the file is encoded in UTF-16');
  expect(refusal('web')).toBe('NOT_A_FILE web a directory stands where a file is expected');
  // Opening a pipe for reading would wait for ever.
  expect(refusal('pipe.yaml')).toBe('NOT_A_FILE pipe.yaml this is not a regular file');
});

it('keeps a byte order mark and NUL for the reader of the format', () => {
  writeFileSync(join(root, 'bom.yaml'), '\uFEFFa: \0');
  expect(openTree(root).read('bom.yaml')).toBe('\uFEFFa: \0');
});
