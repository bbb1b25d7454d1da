/** Git's own protocol over HTTP: `git http-backend` on the bare repositories. */
import { spawn } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface GitRequest {
  readonly directory: string;
  readonly service: string;
  readonly path: string;
  readonly query: string;
}

/** `/{owner}/{name}[.git]/info/refs` and the two services; `undefined` for everything else. */
export function recogniseGit(
  path: string,
  query: URLSearchParams,
): { owner: string; name: string; path: string; operation: string } | undefined {
  const match = /^\/([^/]+)\/([^/]+?)(?:\.git)?(\/info\/refs|\/git-upload-pack|\/git-receive-pack|\/HEAD)$/.exec(path);
  if (match === null) return undefined;
  const [, owner = '', name = '', rest = ''] = match;
  return {
    owner,
    name,
    path: rest,
    operation: rest === '/info/refs' ? `git-info-refs ${query.get('service') ?? ''}`.trim() : rest.slice(1),
  };
}

/** Runs the backend and streams its answer. Resolves with status and bytes when the answer is complete. */
export function serveGit(
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
  git: GitRequest,
  environment: Readonly<Record<string, string>>,
): Promise<{ status: number; bytes: number; stderr: string }> {
  return new Promise((resolve, reject) => {
    const header = (name: string): string => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : '';
    };
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_GLOBAL: '/dev/null',
        LC_ALL: 'C',
        // The server may run as another user than the owner of the repositories.
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        GIT_PROJECT_ROOT: git.directory,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: git.path,
        QUERY_STRING: git.query,
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: header('content-type'),
        HTTP_CONTENT_ENCODING: header('content-encoding'),
        GIT_PROTOCOL: header('git-protocol'),
        CONTENT_LENGTH: String(body.length),
        REMOTE_USER: 'testbed',
        REMOTE_ADDR: '127.0.0.1',
        ...environment,
      },
    });
    child.on('error', reject);
    child.stdin.on('error', () => undefined);
    child.stdin.end(body);
    let head: Buffer | undefined = Buffer.alloc(0);
    let status = 200;
    let bytes = 0;
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      if (head === undefined) {
        bytes += chunk.length;
        response.write(chunk);
        return;
      }
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const headers: Record<string, string> = {};
      for (const line of head.subarray(0, end).toString().split('\r\n')) {
        const colon = line.indexOf(':');
        const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
        if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
        else headers[name] = value;
      }
      response.writeHead(status, headers);
      const rest = head.subarray(end + 4);
      bytes += rest.length;
      response.write(rest);
      head = undefined;
    });
    child.on('close', () => {
      if (head !== undefined) {
        status = 500;
        response.writeHead(500);
      }
      response.end();
      resolve({ status, bytes, stderr });
    });
  });
}
