/**
 * Writes our public workflows in the pinned form: `uses: $/action-x` becomes `uses: OWNER/REPO/action-x@REF`. For servers
 * that do not know `$/` (GitHub Enterprise Server, and act in our tests); a release carries the result as an artefact.
 *
 *   node scripts/pinned-workflows.ts OWNER/REPO REF DIRECTORY [--for-act]
 *
 * `--for-act` also leaves out what act 0.2.89 refuses (`concurrency.queue`, `environment.deployment`) and points
 * `actions/checkout` at a tag that a local git server can hold.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The text of one workflow in the pinned form. */
export function pinned(text: string, repository: string, ref: string): string {
  return text.replace(/^(\s*(?:- )?uses: )(["']?)\$\/(?:\.\/)?([^"'\s]+)/gm, `$1$2${repository}/$3@${ref}`);
}

/** What act 0.2.89 can read: two keys that it does not know are left out, commit ids of third-party actions become tags. */
export function forAct(text: string): string {
  return text
    .replace(/^\s*queue: (max|single)\s*\n/gm, '')
    .replace(/^\s*deployment: (true|false)\s*\n/gm, '')
    .replace(/(uses: actions\/checkout)@[0-9a-f]{40}( #.*)?$/gm, '$1@v5');
}

/** Names of the public workflows (`paasta-*.yml`). */
export function publicWorkflows(): readonly string[] {
  return readdirSync(join(ROOT, '.github', 'workflows'))
    .filter((name) => /^paasta-.*\.ya?ml$/.test(name))
    .sort();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [repository, ref, directory, option] = process.argv.slice(2);
  if (repository === undefined || ref === undefined || directory === undefined || !/^[\w.-]+\/[\w.-]+$/.test(repository)) {
    console.error('usage: node scripts/pinned-workflows.ts OWNER/REPO REF DIRECTORY [--for-act]');
    process.exit(2);
  }
  mkdirSync(directory, { recursive: true });
  for (const name of publicWorkflows()) {
    const text = pinned(readFileSync(join(ROOT, '.github', 'workflows', name), 'utf8'), repository, ref);
    writeFileSync(join(directory, name), option === '--for-act' ? forAct(text) : text);
    console.log(join(directory, name));
  }
}
