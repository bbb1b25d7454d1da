/** Who may do what: the permission that each operation needs, with GitHub's answers to those who lack it. */
import type { Operation } from './description.ts';
import { notFound, Refusal } from './state.ts';
import type { Level, RepositoryState, Token } from './state.ts';

interface Need {
  readonly scopes: readonly string[];
  readonly level: Level;
}

const scopesOf: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(repos\/get|repos\/get-collaborator-permission-level)$/, ['metadata']],
  [/^repos\/(update|delete)$/, ['administration']],
  [/^git\//, ['contents']],
  [
    /^repos\/(get-content|create-or-update-file-contents|delete-file|list-commits|get-commit|compare-commits-with-basehead|list-branches|get-branch|list-tags|create-dispatch-event)$/,
    ['contents'],
  ],
  [/^repos\/.*deployment/, ['deployments']],
  [/^repos\/(get-all-environments|get-environment)$/, ['actions']],
  [/^repos\/.*environment$/, ['administration']],
  [/status/, ['statuses']],
  [/^checks\//, ['checks']],
  [/^(issues|reactions)\//, ['issues', 'pull_requests']],
  [/^(pulls\/|repos\/list-pull-requests)/, ['pull_requests']],
  [/^actions\//, ['actions']],
];

function needOf(operation: Operation): Need {
  const scopes = scopesOf.find(([pattern]) => pattern.test(operation.id))?.[1] ?? ['metadata'];
  const write = operation.method !== 'get' || /^repos\/create-dispatch-event$/.test(operation.id);
  return { scopes, level: write ? 'write' : 'read' };
}

function spell(need: Need): string {
  return need.scopes.map((scope) => `${scope}=${need.level}`).join('; ');
}

export function allows(token: Token, scope: string, level: Level): boolean {
  if (token.permissions === 'all') return true;
  const held = token.permissions[scope];
  if (scope === 'metadata') return level === 'read' || held === 'write';
  return held === 'write' || (held === 'read' && level === 'read');
}

/** True when the repository exists for this token at all. */
export function sees(token: Token | undefined, repository: RepositoryState): boolean {
  if (token === undefined) return !repository.isPrivate;
  return token.repositories === undefined || token.repositories.includes(repository.fullName) || !repository.isPrivate;
}

/** Throws GitHub's refusal when the token may not; gives the `x-accepted-github-permissions` of the operation. */
export function authorise(operation: Operation, repository: RepositoryState | undefined, token: Token | undefined): string {
  const need = needOf(operation);
  const accepted = spell(need);
  if (repository === undefined || !sees(token, repository)) throw notFound();
  if (token === undefined) {
    if (need.level === 'write') throw new Refusal(401, 'Requires authentication');
    return accepted;
  }
  if (need.level === 'read' && !repository.isPrivate) return accepted;
  const owned = token.repositories === undefined || token.repositories.includes(repository.fullName);
  if (owned && need.scopes.some((scope) => allows(token, scope, need.level))) return accepted;
  throw new Refusal(403, 'Resource not accessible by integration', {}, { 'x-accepted-github-permissions': accepted });
}

/** The token of an Authorization header: `Bearer x`, `token x`, or Basic with any user name. */
export function tokenOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [scheme = '', value = ''] = header.split(' ', 2);
  if (/^(bearer|token)$/i.test(scheme)) return value;
  if (!/^basic$/i.test(scheme)) return '';
  const pair = Buffer.from(value, 'base64').toString();
  return pair.slice(pair.indexOf(':') + 1);
}
