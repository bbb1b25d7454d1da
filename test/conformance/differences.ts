/**
 * Every difference from PaaSTA that is wanted, as a rule: on which cases, the exact value that ours gives instead, and why.
 * Never a list of case ids. `foreseen` rules carry a label of the first table of the vectors' README; others may excuse at most 2 % of a kind.
 */
import type { Case, Difference, JsonMap } from './types.ts';

/** The member of a mapping, whatever it is; `undefined` when there is none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of path) here = typeof here === 'object' && here !== null ? (here as Readonly<Record<string | number, unknown>>)[key] : undefined;
  return here;
}

function fn(test: Case): string {
  return String(test.input['fn']);
}

function args(test: Case): readonly unknown[] {
  return Array.isArray(test.input['args']) ? test.input['args'] : [];
}

const names: readonly Difference[] = [
  {
    name: 'P40-empty-image-version',
    kinds: ['names'],
    foreseen: true,
    reason: 'an empty image version is none: no trailing dash, null in JSON',
    applies: (test) => ['docker_image_name', 'deployment_version', 'extract_tags'].includes(fn(test)),
    instead: (wanted, test) => {
      if (fn(test) === 'docker_image_name') return args(test)[2] === '' && typeof wanted === 'string' ? wanted.replace(/-$/, '') : wanted;
      if (fn(test) === 'deployment_version' && args(test)[1] === '') return { ...(wanted as JsonMap), json: String(at(wanted, 'json')).replace('"image_version": ""', '"image_version": null') };
      return wanted;
    },
  },
  {
    name: 'D-secret-line-end',
    kinds: ['names'],
    foreseen: false,
    reason: 'a reference that ends in a line end (YAML block scalar) names the secret, not the secret plus a parenthesis',
    applies: (test) => fn(test) === 'secret_ref' && String(args(test)[0]).endsWith(')\n'),
    instead: (wanted) => ({ ...(wanted as JsonMap), name: String(at(wanted, 'name')).replace(/\)$/, '') }),
  },
];

export const DIFFERENCES: readonly Difference[] = [...names];
