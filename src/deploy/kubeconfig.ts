/** Which kubeconfig is meant. Nothing ambient is read unless the input says so. */
import { problem, UserError } from '../shared/contract/errors.ts';
import type { Runtime } from '../shared/contract/ports.ts';

export type KubeconfigSource =
  { readonly kind: 'file'; readonly path: string } | { readonly kind: 'text'; readonly text: string } | { readonly kind: 'in-cluster' };

/**
 * `in-cluster`: the service account of this pod. `$KUBECONFIG`: the file that the environment names, only when asked for like
 * this. Anything with a line end or a brace: the text itself. Else a path. Throws `UserError` KUBECONFIG_REQUIRED.
 */
export function kubeconfigSource(
  given: string,
  { env, workingDirectory, mask }: Pick<Runtime, 'env' | 'workingDirectory' | 'mask'>,
  resolve: (...parts: string[]) => string,
): KubeconfigSource {
  const need = (message: string): UserError =>
    new UserError(
      problem('KUBECONFIG_REQUIRED', message, {
        input: 'kubeconfig',
        hint: "give a path, the text of a kubeconfig (from a secret), 'in-cluster' inside a pod, or '$KUBECONFIG' to use the environment's; an ambient KUBECONFIG is never used by itself",
      }),
    );
  if (given === '') throw need('kubeconfig: it is not said how to reach the cluster');
  if (given === 'in-cluster') return { kind: 'in-cluster' };
  if (given === '$KUBECONFIG') {
    const path = env['KUBECONFIG'] ?? '';
    if (path === '') throw need('kubeconfig: $KUBECONFIG is asked for, but the environment has none');
    return { kind: 'file', path: resolve(workingDirectory, path) };
  }
  if (/\n/.test(given) || given.trimStart().startsWith('{')) {
    maskSecrets(given, mask);
    return { kind: 'text', text: given };
  }
  return { kind: 'file', path: resolve(workingDirectory, given) };
}

/** Keys, tokens and passwords of a kubeconfig that came as text; a whole kubeconfig would make every log unreadable. */
function maskSecrets(text: string, mask: (secret: string) => void): void {
  for (const [, value] of text.matchAll(/["']?(?:client-key-data|token|password)["']?\s*:\s*["']?([^\s"',}]{6,})/g))
    if (value !== undefined) mask(value);
}
