/**
 * A TCP proxy on loopback that does what kube-proxy does on a node: it follows the EndpointSlices of one Service and
 * sends every new connection to a ready endpoint, in turn. Changes reach it late, by a lag that the caller chooses; open
 * connections are left alone when their endpoint goes away.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import { createInterface } from 'node:readline';

interface Slice {
  metadata: { name: string };
  ports?: { port?: number }[];
  endpoints?: { addresses: string[]; conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean } }[];
}

export interface EndpointProxy {
  readonly port: number;
  /** Addresses that new connections go to at this moment. */
  endpoints(): readonly string[];
  /** Resolves when at least this many endpoints are known. */
  ready(count: number, timeout: number): Promise<void>;
  /** Connections that no endpoint took, with the reason. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

export async function startEndpointProxy(options: {
  kubectl: string;
  kubeconfig: string;
  namespace: string;
  service: string;
  /** Milliseconds between the API server's event and its effect here. */
  lag: number;
}): Promise<EndpointProxy> {
  const slices = new Map<string, readonly string[]>();
  let current: readonly string[] = [];
  let turn = 0;
  const failures: string[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const follow = (name: string, addresses: readonly string[]): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      slices.set(name, addresses);
      current = [...slices.values()].flat();
    }, options.lag);
    timers.add(timer);
  };

  /** What a watch that ended had told of: a new one begins with all that there is, and is silent about what was deleted meanwhile. */
  let missed = new Set<string>();
  let stopped = false;
  let watcher: ChildProcess | undefined;
  const watch = (): void => {
    const selector = encodeURIComponent(`kubernetes.io/service-name=${options.service}`);
    watcher = spawn(
      options.kubectl,
      [
        '--kubeconfig',
        options.kubeconfig,
        'get',
        '--raw',
        `/apis/discovery.k8s.io/v1/namespaces/${options.namespace}/endpointslices?watch=true&labelSelector=${selector}`,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    createInterface({ input: watcher.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const event = JSON.parse(line) as { type: string; object: Slice };
      if (event.type === 'ERROR') return;
      if (missed.size > 0)
        setTimeout(() => {
          for (const name of missed) follow(name, []);
          missed.clear();
        }, 1_000).unref();
      missed.delete(event.object.metadata.name);
      const port = event.object.ports?.[0]?.port;
      const ready =
        event.type === 'DELETED' || port === undefined ? [] : (event.object.endpoints ?? []).filter((e) => e.conditions?.ready !== false);
      follow(
        event.object.metadata.name,
        ready.flatMap((e) => e.addresses.map((a) => `${a}:${String(port)}`)),
      );
    });
    watcher.on('exit', () => {
      missed = new Set(slices.keys());
      if (!stopped) setTimeout(watch, 100);
    });
  };
  watch();

  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const target = current[turn++ % Math.max(1, current.length)];
    sockets.add(client);
    client.on('close', () => sockets.delete(client)).on('error', () => client.destroy());
    if (target === undefined) {
      failures.push('no endpoint');
      client.destroy();
      return;
    }
    const colon = target.lastIndexOf(':');
    const upstream = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    upstream.setNoDelay(true);
    client.setNoDelay(true);
    upstream.on('error', (error) => {
      failures.push(`${target}: ${error.message}`);
      client.resetAndDestroy();
    });
    client.pipe(upstream);
    upstream.pipe(client);
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    port: (server.address() as net.AddressInfo).port,
    endpoints: () => current,
    failures,
    async ready(count, timeout) {
      const end = Date.now() + timeout;
      while (current.length < count) {
        if (Date.now() > end)
          throw new Error(
            `the proxy for ${options.namespace}/${options.service} sees ${current.length} of ${count} endpoints after ${timeout} ms`,
          );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      stopped = true;
      watcher?.kill('SIGKILL');
      for (const timer of timers) clearTimeout(timer);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
