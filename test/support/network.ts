/** What companies put between a runner and the world: a proxy that is asked with CONNECT, and a certificate authority of their own. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';

/** A proxy on loopback; every host that is asked for is answered by this machine, whatever its name. */
export async function startProxy(): Promise<{ url: string; connects: string[]; stop(): void }> {
  const connects: string[] = [];
  const sockets = new Set<net.Socket>();
  const server = http.createServer((request, response) => {
    const target = new URL(request.url ?? '/');
    connects.push(`${request.method ?? ''} ${target.host}`);
    request.pipe(http.request({ host: '127.0.0.1', port: target.port, path: target.pathname + target.search, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }));
  });
  server.on('connect', (request: http.IncomingMessage, client: net.Socket) => {
    connects.push(`CONNECT ${request.url ?? ''}`);
    const upstream = net.connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      client.pipe(upstream).pipe(client);
    });
    for (const [a, b] of [[client, upstream], [upstream, client]] as const) a.on('error', () => b.destroy()).on('close', () => b.destroy());
    sockets.add(client).add(upstream);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    connects,
    stop: () => { for (const socket of sockets) socket.destroy(); server.closeAllConnections(); server.close(); },
  };
}

/** An HTTPS front, with a certificate of its own authority, before a plain HTTP server. */
export async function startTlsFront(directory: string, name: string, targetPort: number): Promise<{ port: number; caFile: string; stop(): void }> {
  const file = (f: string): string => join(directory, f);
  const openssl = (...argv: string[]): void => { execFileSync('openssl', argv, { stdio: 'ignore' }); };
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=private authority', '-keyout', file('ca.key'), '-out', file('ca.crt'));
  writeFileSync(file('leaf.cnf'), `[req]\ndistinguished_name=dn\n[dn]\n[v3]\nsubjectAltName=DNS:${name}\nbasicConstraints=CA:FALSE\n`);
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-config', file('leaf.cnf'), '-extensions', 'v3',
    '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-keyout', file('leaf.key'), '-out', file('leaf.crt'));
  const server = https.createServer({ key: readFileSync(file('leaf.key')), cert: readFileSync(file('leaf.crt')) }, (request, response) => {
    request.pipe(http.request({ host: '127.0.0.1', port: targetPort, path: request.url, method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { port: (server.address() as net.AddressInfo).port, caFile: file('ca.crt'), stop: () => { server.closeAllConnections(); server.close(); } };
}
