import { command } from './main.ts';

/** Put in by the build. */
declare const PAASTA_VERSION: string | undefined;

const version = typeof PAASTA_VERSION === 'string' ? PAASTA_VERSION : 'from source';
const code = await command({ argv: process.argv.slice(2), env: process.env, version, stdout: process.stdout, stderr: process.stderr });
if (code !== undefined) process.exitCode = code;
