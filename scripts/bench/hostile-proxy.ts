/** A proxy on loopback between a client and the API server: late, now and then refusing, once cutting every connection. */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentialsOf, readKubeconfig } from '../../test/testbed/parts/api.ts';
import type { Cluster } from '../../test/testbed/index.ts';

export interface Hostility {
  /** Milliseconds before a request goes on. */
  readonly latency: number;
  /** Shares of requests that are answered so, from 0 to 1. */
  readonly tooMany: number;
  readonly broken: number;
  /** Cuts every open connection once, after so many requests. */
  readonly cutAfter?: number;
}

export interface HostileProxy {
  readonly kubeconfigPath: string;
  /** How often it refused, broke and cut. */
  counts(): { readonly requests: number; readonly tooMany: number; readonly broken: number; readonly cut: number };
  stop(): Promise<void>;
}

/** The same numbers in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function startHostileProxy(cluster: Cluster, directory: string, name: string, hostility: Hostility): Promise<HostileProxy> {
  const { server, ca } = credentialsOf(readKubeconfig(cluster.kubeconfigPath));
  const target = new URL(server);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 256, ...(ca === undefined ? {} : { ca }) });
  const next = random(7);
  const count = { requests: 0, tooMany: 0, broken: 0, cut: 0 };
  const refuse = (
    response: http.ServerResponse,
    code: number,
    reason: string,
    message: string,
    headers: http.OutgoingHttpHeaders = {},
  ): void => {
    response
      .writeHead(code, { 'content-type': 'application/json', ...headers })
      .end(
        JSON.stringify({
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Failure',
          message,
          reason,
          code,
          ...(code === 429 ? { details: { retryAfterSeconds: 1 } } : {}),
        }),
      );
  };
  const proxy = http.createServer((request, response) => {
    count.requests++;
    const dice = next();
    if (count.requests === hostility.cutAfter) {
      count.cut++;
      proxy.closeAllConnections();
      return;
    }
    setTimeout(() => {
      if (dice < hostility.tooMany) {
        count.tooMany++;
        request.resume();
        refuse(response, 429, 'TooManyRequests', 'the server has received too many requests and has asked us to try again later', {
          'retry-after': '1',
        });
        return;
      }
      if (dice < hostility.tooMany + hostility.broken) {
        count.broken++;
        request.resume();
        refuse(response, 500, 'InternalError', 'Internal error occurred: etcdserver: leader changed');
        return;
      }
      const onward = https.request(
        {
          host: target.hostname,
          port: target.port,
          agent,
          method: request.method,
          path: request.url,
          headers: { ...request.headers, host: target.host, authorization: `Bearer ${cluster.adminToken}` },
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          response.flushHeaders();
          answer.pipe(response);
          answer.on('error', () => {
            response.destroy();
          });
        },
      );
      onward.on('error', () => {
        response.destroy();
      });
      response.on('close', () => {
        onward.destroy();
      });
      request.pipe(onward);
    }, hostility.latency);
  });
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
  const kubeconfigPath = join(directory, `${name}.kubeconfig`);
  writeFileSync(
    kubeconfigPath,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'hostile',
      clusters: [{ name: 'hostile', cluster: { server: url } }],
      users: [{ name: 'hostile', user: {} }],
      contexts: [{ name: 'hostile', context: { cluster: 'hostile', user: 'hostile' } }],
    }),
    { mode: 0o600 },
  );
  return {
    kubeconfigPath,
    counts: () => ({ ...count }),
    stop: async () => {
      proxy.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
