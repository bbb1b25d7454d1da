/**
 * Cuts GitHub's OpenAPI description (dev dependency `@octokit/openapi`, 13 MB) to the operations that this project uses,
 * without prose and examples, and writes the part that the API double in `test/testbed/github` validates against.
 *
 *   node scripts/cut-openapi.ts            writes the file
 *   node scripts/cut-openapi.ts --check    fails when the committed file is not what the installed package gives
 */
import { readFileSync, writeFileSync } from 'node:fs';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const repository = '/repos/{owner}/{repo}';

/** Paths below the repository that the actions, the workflows and the tests use. `*` keeps everything below. */
const kept = [
  '',
  '/git/refs',
  '/git/refs/{ref}',
  '/git/ref/{ref}',
  '/git/matching-refs/{ref}',
  '/git/tags',
  '/git/tags/{tag_sha}',
  '/git/commits/{commit_sha}',
  '/contents/{path}',
  '/commits',
  '/commits/{ref}',
  '/commits/{ref}/status',
  '/commits/{ref}/statuses',
  '/commits/{ref}/check-runs',
  '/commits/{commit_sha}/pulls',
  '/compare/{basehead}',
  '/statuses/{sha}',
  '/branches',
  '/branches/{branch}',
  '/tags',
  '/deployments',
  '/deployments/{deployment_id}',
  '/deployments/{deployment_id}/statuses',
  '/deployments/{deployment_id}/statuses/{status_id}',
  '/environments',
  '/environments/{environment_name}',
  '/check-runs',
  '/check-runs/{check_run_id}',
  '/check-runs/{check_run_id}/annotations',
  '/issues/{issue_number}/comments',
  '/issues/comments/{comment_id}',
  '/issues/comments/{comment_id}/reactions',
  '/collaborators/{username}/permission',
  '/pulls',
  '/pulls/{pull_number}',
  '/pulls/{pull_number}/files',
  '/dispatches',
  '/actions/workflows',
  '/actions/workflows/{workflow_id}',
  '/actions/workflows/{workflow_id}/dispatches',
  '/actions/runs/{run_id}',
].map((path) => repository + path);
kept.push('/rate_limit');

const methods = new Set(['get', 'put', 'post', 'patch', 'delete']);
const prose = new Set([
  'example',
  'examples',
  'externalDocs',
  'x-github',
  'x-github-breaking-changes',
  'x-multi-segment',
  'tags',
  'summary',
]);

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function child(of: JsonObject, key: string): JsonObject {
  const value = of[key];
  if (!isObject(value)) throw new Error(`the description has no object at ${key}`);
  return value;
}

/** Copy without prose. Below `properties` the keys are names of fields, which must stay whatever they are called. */
function strip(value: Json, names = false): Json {
  if (Array.isArray(value)) return value.map((item) => strip(item));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => names || !(prose.has(key) || (key === 'description' && typeof inner === 'string')))
      .map(([key, inner]) => [key, strip(inner, !names && (key === 'properties' || key === 'paths' || key === 'schemas'))]),
  );
}

export function cut(description: JsonObject, packageVersion: string): JsonObject {
  const all = child(description, 'paths');
  const paths: JsonObject = {};
  for (const path of kept) {
    const item = strip(child(all, path));
    if (!isObject(item)) throw new Error(`${path} is not an object`);
    paths[path] = Object.fromEntries(Object.entries(item).filter(([key]) => methods.has(key)));
  }
  const components: { [section: string]: JsonObject } = {};
  const walk = (value: Json): void => {
    if (Array.isArray(value)) return value.forEach(walk);
    if (!isObject(value)) return;
    const reference = value['$ref'];
    if (typeof reference === 'string') {
      const [, , section = '', name = ''] = reference.split('/');
      const target = (components[section] ??= {});
      if (target[name] === undefined) {
        const found = strip(child(child(child(description, 'components'), section), name));
        target[name] = found;
        walk(found);
      }
    }
    Object.values(value).forEach(walk);
  };
  walk(paths);
  const info = child(description, 'info');
  const sorted = Object.fromEntries(
    Object.entries(components)
      .sort()
      .map(([section, entries]) => [section, Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)))]),
  );
  return {
    openapi: description['openapi'] ?? '3.0.3',
    info: { title: info['title'] ?? '', version: info['version'] ?? '', 'x-package': `@octokit/openapi@${packageVersion}` },
    paths,
    components: sorted,
  };
}

const packageRoot = new URL('../node_modules/@octokit/openapi/', import.meta.url);
const target = new URL('../test/testbed/github/api.github.com.cut.json', import.meta.url);
const version = (JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: string }).version;
const result = cut(JSON.parse(readFileSync(new URL('generated/api.github.com.json', packageRoot), 'utf8')) as JsonObject, version);
const text = `${JSON.stringify(result)}\n`;
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('test/testbed/github/api.github.com.cut.json is not what @octokit/openapi gives: run `node scripts/cut-openapi.ts`');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
  const paths = Object.values(child(result, 'paths'));
  const operations = paths.flatMap((path) => (isObject(path) ? Object.keys(path) : [])).length;
  console.log(`${String(paths.length)} paths, ${String(operations)} operations, ${String(text.length)} bytes, @octokit/openapi ${version}`);
}
