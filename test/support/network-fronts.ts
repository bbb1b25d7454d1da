/** Loopback parts of a company network: a forward proxy that counts, and an HTTPS front with a certificate of a private CA. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export interface ForwardProxy {
  readonly url: string;
  /** `CONNECT host:port` and `GET http://…` lines in order. */
  readonly seen: string[];
  stop(): Promise<void>;
}

async function listen(server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: http.Server | https.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise<void>((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

/** Sends a request on as it is, and its answer back; 502 when nobody is there. */
function forward(request: http.IncomingMessage, response: http.ServerResponse, to: http.RequestOptions): void {
  const outgoing = http.request({ ...to, method: request.method ?? 'GET', headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  outgoing.on('error', () => {
    response.writeHead(502);
    response.end();
  });
  request.pipe(outgoing);
}

/** A forward proxy for CONNECT and absolute addresses. `route` sends a host name somewhere else, so that names need no DNS. */
export async function startProxy(
  options: { readonly refuse?: number; readonly route?: (host: string) => { host: string; port: number } | undefined } = {},
): Promise<ForwardProxy> {
  const seen: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = http.createServer((request, response) => {
    seen.push(`${request.method ?? ''} ${request.url ?? ''}`);
    if (options.refuse !== undefined) {
      response.writeHead(options.refuse);
      response.end();
      return;
    }
    const target = new URL(request.url ?? '');
    const to = options.route?.(target.host) ?? { host: target.hostname, port: Number(target.port || '80') };
    forward(request, response, { ...to, path: `${target.pathname}${target.search}` });
  });
  server.on('connect', (request, client: net.Socket, head) => {
    seen.push(`CONNECT ${request.url ?? ''}`);
    sockets.add(client);
    client.on('error', () => undefined);
    if (options.refuse !== undefined) {
      client.end(`HTTP/1.1 ${String(options.refuse)} refused\r\n\r\n`);
      return;
    }
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const to = options.route?.(request.url ?? '') ?? { host, port: Number(port) };
    const upstream = net.connect(to.port, to.host, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${String(port)}`,
    seen,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await close(server);
    },
  };
}

export interface SecureFront {
  /** `https://localhost:<port>` */
  readonly url: string;
  readonly port: number;
  /** File of the CA's certificate. */
  readonly caFile: string;
  stop(): Promise<void>;
}

/** HTTPS on loopback in front of an HTTP server; its certificate (localhost, 127.0.0.1 and the names) is signed by a CA of its own. */
export async function startSecureFront(backend: string, names: readonly string[] = []): Promise<SecureFront> {
  const directory = mkdtempSync(join(tmpdir(), 'paasta-ca-'));
  /** A key and a certificate of two days. */
  const certify = (name: string, subject: string, extensions: readonly string[], signer: readonly string[] = []): Promise<unknown> =>
    execute(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${subject}`],
        ...extensions.flatMap((extension) => ['-addext', extension]),
        ...signer,
      ],
      { cwd: directory },
    );
  const alternative = ['DNS:localhost', 'IP:127.0.0.1', ...names.map((name) => `DNS:${name}`)].join(',');
  await certify('ca', 'private test CA', ['basicConstraints=critical,CA:TRUE']);
  const leaf = [`subjectAltName=${alternative}`, 'basicConstraints=critical,CA:FALSE'];
  await certify('server', 'localhost', leaf, ['-CA', 'ca.pem', '-CAkey', 'ca.key']);
  const target = new URL(backend);
  const server = https.createServer(
    { key: readFileSync(join(directory, 'server.key')), cert: readFileSync(join(directory, 'server.pem')) },
    (request, response) => {
      forward(request, response, { host: target.hostname, port: target.port, path: request.url ?? '/' });
    },
  );
  const port = await listen(server);
  return {
    url: `https://localhost:${String(port)}`,
    port,
    caFile: join(directory, 'ca.pem'),
    stop: async () => {
      await close(server);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
