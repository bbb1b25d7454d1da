/** Writes a one-layer image as a docker-archive tar, without a docker engine and without a registry. */
import { createHash } from 'node:crypto';

export interface ArchiveFile {
  readonly name: string;
  readonly content: Buffer;
  readonly mode?: number;
}

const BLOCK = 512;

function header(file: ArchiveFile): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(file.name, 0, 100);
  block.write(octal(file.mode ?? 0o644, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(file.content.length, 12), 124);
  block.write(octal(0, 12), 136);
  block.write(' '.repeat(8), 148); // the checksum counts as blanks while it is computed
  block.write('0', 156);
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((a, b) => a + b, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A plain ustar archive with fixed times and owners: the same input gives the same bytes. */
export function tar(files: readonly ArchiveFile[]): Buffer {
  const blocks = files.flatMap((f) => [header(f), f.content, Buffer.alloc((BLOCK - (f.content.length % BLOCK)) % BLOCK)]);
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

export interface ImageOptions {
  readonly reference: string;
  readonly architecture: string;
  readonly entrypoint: readonly string[];
}

/** A loadable archive (`ctr images import`, `docker load`) of an image with these files at its root. */
export function imageArchive(files: readonly ArchiveFile[], image: ImageOptions): Buffer {
  const layer = tar(files),
    digest = createHash('sha256').update(layer).digest('hex');
  const config = {
    architecture: image.architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Entrypoint: image.entrypoint },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
    history: [{ created: '1970-01-01T00:00:00Z' }],
  };
  const manifest = [{ Config: 'config.json', RepoTags: [image.reference], Layers: ['layer.tar'] }];
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  return tar([
    { name: 'layer.tar', content: layer },
    { name: 'config.json', content: json(config) },
    { name: 'manifest.json', content: json(manifest) },
  ]);
}
