/**
 * The double as a command: `node test/testbed/github/cli.ts --port N --root DIR [--token TOKEN] [--repository owner/name]…`.
 * Prints one JSON line with its addresses when it serves; ends on SIGINT and SIGTERM. `/_double/…` administers it.
 */
import { parseArgs } from 'node:util';
import { startGitHub } from './index.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    root: { type: 'string' },
    token: { type: 'string' },
    repository: { type: 'string', multiple: true },
  },
});
const github = await startGitHub({
  administration: true,
  ...(values.port === undefined ? {} : { port: Number(values.port) }),
  ...(values.root === undefined ? {} : { root: values.root }),
});
for (const name of values.repository ?? []) {
  const [owner = '', repository = ''] = name.split('/');
  await github.createRepository(owner, repository);
}
const token = github.addToken(values.token === undefined ? {} : { token: values.token });
console.log(JSON.stringify({ url: github.url, apiUrl: github.apiUrl, root: github.root, token }));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    void github.stop().then(() => process.exit(0));
  });
