import manifest from '../../package.json' with { type: 'json' };
import { command } from './main.ts';

const code = await command({ argv: process.argv.slice(2), env: process.env, version: manifest.version, stdout: process.stdout, stderr: process.stderr });
if (code !== undefined) process.exitCode = code;
