/** A small client of the API server: enough for the testbed itself and for the fake nodes, Node's own modules only. */
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { sleep } from './say.ts';

/** Where the API server is and who we are there. */
export interface Credentials {
  readonly server: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly token?: string;
}

export interface KubeconfigFile {
  'current-context': string;
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: { name: string; cluster: Record<string, string> }[];
  users: { name: string; user: Record<string, string> }[];
}

/** Reads the current context of a kubeconfig object (files in the testbed are JSON, which is YAML too). */
export function credentialsOf(config: KubeconfigFile): Credentials {
  const context = config.contexts.find((c) => c.name === config['current-context'])?.context;
  const cluster = config.clusters.find((c) => c.name === context?.cluster)?.cluster ?? {};
  const user = config.users.find((u) => u.name === context?.user)?.user ?? {};
  const bytes = (from: Record<string, string>, key: string): Buffer | undefined => {
    const inline = from[`${key}-data`],
      file = from[key];
    if (inline !== undefined) return Buffer.from(inline, 'base64');
    return file === undefined ? undefined : fs.readFileSync(file);
  };
  const ca = bytes(cluster, 'certificate-authority'),
    cert = bytes(user, 'client-certificate'),
    key = bytes(user, 'client-key'),
    { token } = user;
  return {
    server: cluster['server'] ?? '',
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(token !== undefined && { token }),
  };
}

export function readKubeconfig(file: string): KubeconfigFile {
  return JSON.parse(fs.readFileSync(file, 'utf8')) as KubeconfigFile;
}

/** An answer of the API server that is not a success. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';

export type WatchEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T };
interface Listed<T> {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly T[];
}

export class Api {
  private readonly url: URL;
  private readonly token: string | undefined;
  private readonly agent: http.Agent;
  private readonly userAgent: string;

  constructor(credentials: Credentials, userAgent: string) {
    this.url = new URL(credentials.server);
    this.token = credentials.token;
    this.userAgent = userAgent;
    const { ca, cert, key } = credentials;
    this.agent =
      this.url.protocol === 'http:'
        ? new http.Agent({ keepAlive: true, maxSockets: 32 })
        : new https.Agent({ keepAlive: true, maxSockets: 32, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  }

  private open(method: string, path: string, body: unknown, type: string): Promise<http.IncomingMessage> {
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers: http.OutgoingHttpHeaders = { accept: 'application/json', 'user-agent': this.userAgent };
    if (this.token !== undefined) headers['authorization'] = `Bearer ${this.token}`;
    if (bytes !== undefined) {
      headers['content-type'] = type;
      headers['content-length'] = bytes.length;
    }
    const { request } = this.url.protocol === 'http:' ? http : https;
    return new Promise((resolve, reject) => {
      const sent = request({ host: this.url.hostname, port: this.url.port, agent: this.agent, method, path, headers }, resolve);
      sent.on('error', reject);
      sent.end(bytes);
    });
  }

  /** One exchange; waits when the server is too busy and tries again when the connection fails. */
  async call<T>(method: string, path: string, body?: unknown, type = 'application/json', attempts = 6): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.open(method, path, body, type);
        const chunks: Buffer[] = [];
        for await (const chunk of answer) chunks.push(chunk as Buffer);
        const text = Buffer.concat(chunks).toString(),
          status = answer.statusCode ?? 0;
        if (status === 429 && attempt < 20) {
          await sleep(1000 * Number(answer.headers['retry-after'] ?? 1));
          continue;
        }
        const parsed: unknown = text.startsWith('{') ? JSON.parse(text) : text;
        if (status >= 400)
          throw new ApiError(status, typeof parsed === 'object' ? String((parsed as { message?: unknown }).message) : text);
        return parsed as T;
      } catch (error) {
        if (error instanceof ApiError || attempt >= attempts) throw error;
        await sleep(200);
      }
    }
  }

  /** True when the API server says that it is ready. */
  async ready(): Promise<boolean> {
    try {
      return (await this.call('GET', '/readyz', undefined, '', 1)) === 'ok';
    } catch {
      return false;
    }
  }

  /** Lists, then watches until `stopped`; resumes after a lost connection, lists again when the version is gone. */
  async follow<T>(
    path: string,
    onList: (items: readonly T[]) => void,
    onEvent: (event: WatchEvent<T>) => void,
    stopped: () => boolean,
  ): Promise<void> {
    while (!stopped()) {
      try {
        const list = await this.call<Listed<T>>('GET', path);
        onList(list.items);
        let version: string | undefined = list.metadata.resourceVersion;
        while (version !== undefined && !stopped()) version = await this.watch(path, version, onEvent);
      } catch {
        /* the API server is away: list again when it is back */
      }
      if (!stopped()) await sleep(100);
    }
  }

  /** One watch connection; answers the version to go on from, undefined when a new list is needed. */
  private async watch<T>(path: string, from: string, onEvent: (event: WatchEvent<T>) => void): Promise<string | undefined> {
    const answer = await this.open('GET', `${path}?watch=1&allowWatchBookmarks=true&resourceVersion=${from}`, undefined, '');
    if (answer.statusCode !== 200) {
      answer.resume();
      return undefined;
    }
    answer.setEncoding('utf8');
    let rest = '',
      version = from;
    for await (const chunk of answer) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        const event = JSON.parse(line) as { type: string; object: { metadata: { resourceVersion: string } } };
        if (event.type === 'ERROR') {
          answer.destroy();
          return undefined;
        }
        version = event.object.metadata.resourceVersion;
        if (event.type !== 'BOOKMARK') onEvent(event as unknown as WatchEvent<T>);
      }
    }
    return version;
  }

  close(): void {
    this.agent.destroy();
  }
}
