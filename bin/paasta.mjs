#!/usr/bin/env node
// The `paasta` command. Old syntax on purpose: an older Node must get as far as the explanation below.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = 24;
const entry = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist', 'cli', 'index.js');

/** Node 24 comes as an optional dependency for the common platforms. */
function bundledNode() {
  try {
    const manifest = createRequire(import.meta.url).resolve(`node-${process.platform}-${process.arch}/package.json`);
    const file = join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

if (!existsSync(entry)) {
  console.error(`paasta: ${entry} is missing\n  next: run npm ci && npm run build in the checkout of paasta-actions`);
  process.exitCode = 1;
} else if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  await import(pathToFileURL(entry).href);
} else {
  const node = bundledNode();
  if (node === undefined) {
    console.error(
      `paasta: needs Node ${NEEDED}, this is ${process.version}\n  next: install Node ${NEEDED} or later, or run npm install without --omit=optional in the checkout of paasta-actions`,
    );
    process.exitCode = 1;
  } else {
    const child = spawn(node, [entry, ...process.argv.slice(2)], { stdio: 'inherit' });
    // A terminal sends Ctrl-C to both; a supervisor only to us.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    child.on('error', (error) => {
      console.error(`paasta: cannot start ${node}: ${error.message}`);
      process.exitCode = 1;
    });
    child.on('exit', (code, signal) => {
      process.exitCode = code === null ? 128 + (constants.signals[signal] ?? 0) : code;
    });
  }
}
