/** From a kubeconfig to what a request needs. The client library reads the file and runs its login plugins; nothing ambient is read here. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { RequestOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { messageOf, problem, UserError } from '../contract/errors.ts';
import { suggestName } from '../contract/near.ts';
import { withoutTrailing } from '../contract/trailing.ts';

/** Where the credentials come from. */
export type KubeconfigSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'text'; readonly text: string }
  /** The service account of the pod that we run in. */
  | { readonly kind: 'in-cluster' };

/** What a connection needs to trust and to be trusted. */
export interface Tls {
  ca?: NonNullable<ConnectionOptions['ca']>;
  cert?: NonNullable<ConnectionOptions['cert']>;
  key?: NonNullable<ConnectionOptions['key']>;
  pfx?: NonNullable<ConnectionOptions['pfx']>;
  passphrase?: string;
  rejectUnauthorized?: boolean;
  servername?: string;
}

export interface Credentials {
  /** Base address without a trailing slash. */
  readonly server: string;
  readonly context: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  /** `proxy-url` of the kubeconfig; wins over the environment. */
  readonly proxyUrl: string | undefined;
  /** Tokens and passwords, to be masked. */
  readonly secrets: readonly string[];
}

function describe(source: KubeconfigSource): string {
  return source.kind === 'file'
    ? `kubeconfig ${source.path}`
    : source.kind === 'text'
      ? 'the kubeconfig text'
      : 'the service account of this pod';
}

/** The library knows kubectl's `tokenFile` only under another name, and leaves its path as it is. */
function tokenFiles(text: string, directory: string): string {
  return text.replace(
    /(^|[\s{,"'])tokenFile(["']?\s*:\s*["']?)([^"'\s,}]+)/g,
    (_, before: string, colon: string, path: string) => `${before}token-file${colon}${resolve(directory, path)}`,
  );
}

function load(source: KubeconfigSource): KubeConfig {
  const config = new KubeConfig();
  try {
    if (source.kind === 'in-cluster') config.loadFromCluster();
    else {
      // Read here, so that a missing file is told apart from a broken one.
      const text = source.kind === 'file' ? readFileSync(source.path, 'utf8') : source.text;
      config.loadFromString(tokenFiles(text, source.kind === 'file' ? dirname(source.path) : process.cwd()));
      if (source.kind === 'file') config.makePathsAbsolute(dirname(source.path));
    }
  } catch (error) {
    const { code, path } = error as { code?: unknown; path?: unknown };
    // A kubeconfig that is there may name a token file or certificate that is not.
    const missing = code === 'ENOENT' && source.kind === 'file' && path === source.path;
    throw new UserError(
      problem(
        'KUBECONFIG_INVALID',
        missing ? `${describe(source)} does not exist` : `${describe(source)} cannot be read: ${messageOf(error).split('\n')[0] ?? ''}`,
        { input: 'kubeconfig', hint: 'give a path, the text of a kubeconfig, or in-cluster' },
      ),
    );
  }
  return config;
}

/** Names of the contexts of a kubeconfig, for messages. */
export function contextNames(source: KubeconfigSource): readonly string[] {
  return load(source)
    .getContexts()
    .map((c) => c.name);
}

/** Reads the source again each time, so that rotated token files, certificates and login plugins are seen. */
export async function readCredentials(source: KubeconfigSource, wanted: string | undefined): Promise<Credentials> {
  const config = load(source);
  const names = config.getContexts().map((c) => c.name);
  const context = wanted ?? config.getCurrentContext();
  if (context === undefined || context === '' || !names.includes(context)) {
    throw new UserError(
      problem(
        'KUBE_CONTEXT_UNKNOWN',
        context === undefined || context === ''
          ? `${describe(source)} has no current context`
          : `${describe(source)} has no context '${context}'`,
        { input: 'kube-context', hint: suggestName(context ?? '', names) },
      ),
    );
  }
  config.setCurrentContext(context);
  // Plain HTTP to this machine (kubectl proxy): the library wants to be told that there is no TLS to verify.
  config.clusters = config.clusters.map((c) =>
    /^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|\/|$)/.test(c.server) ? { ...c, skipTLSVerify: true } : c,
  );
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new UserError(
      problem('KUBECONFIG_INVALID', `context '${context}' of ${describe(source)} names a cluster that is not in it`, {
        input: 'kubeconfig',
        hint: suggestName(
          '',
          config.getClusters().map((c) => c.name),
        ),
      }),
    );
  }
  const options: RequestOptions & { auth?: string } = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new UserError(
      // What does not parse is the answer of a login plugin: it may hold a token.
      problem(
        'CLUSTER_CREDENTIALS',
        `the credentials of context '${context}' cannot be had: ${error instanceof SyntaxError ? 'the login plugin did not answer with an ExecCredential in JSON' : messageOf(error).trim()}`,
        {
          input: 'kubeconfig',
          hint: 'a login plugin (exec) of the kubeconfig must be installed and able to log in without questions; certificate files must exist',
        },
      ),
    );
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries((options.headers ?? {}) as Record<string, unknown>)) {
    if (name.toLowerCase() !== 'user-agent') headers[name.toLowerCase()] = String(value).trim();
  }
  if (typeof options.auth === 'string') headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const tls: Tls = {};
  if (options.ca !== undefined && options.ca !== null) tls.ca = options.ca;
  if (options.cert !== undefined && options.cert !== null) tls.cert = options.cert;
  if (options.key !== undefined && options.key !== null) tls.key = options.key;
  if (options.pfx !== undefined && options.pfx !== null) tls.pfx = options.pfx;
  if (options.passphrase !== undefined) tls.passphrase = options.passphrase;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  if (options.servername !== undefined) tls.servername = options.servername;
  const authorization = headers['authorization'];
  return {
    server: withoutTrailing(cluster.server, '/'),
    context,
    headers,
    tls,
    proxyUrl: cluster.proxyUrl,
    secrets: authorization === undefined ? [] : [authorization.replace(/^\S+ /, '')],
  };
}
