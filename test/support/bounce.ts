/** A bounce under load: a client at a fixed rate from 5 s before it to 5 s after it, through a proxy that acts like kube-proxy. */
import { startEndpointProxy } from './endpoint-proxy.ts';
import { startLoad, type LoadResult } from './load.ts';
import type { World } from './world.ts';

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** Runs the body under load. The load lasts until 5 s after the body and at least `requests` have been sent. */
export async function underLoad<T>(
  world: World,
  target: {
    readonly namespace: string;
    readonly service: string;
    readonly endpoints: number;
    readonly rate: number;
    readonly requests: number;
    /** Milliseconds of load before and after; 5 s unless told. */ readonly around?: number;
  },
  body: () => Promise<T>,
): Promise<{ readonly result: T; readonly load: LoadResult }> {
  const proxy = await startEndpointProxy({
    kubectl: world.cluster.kubectlPath,
    kubeconfig: world.cluster.kubeconfigPath,
    namespace: target.namespace,
    service: target.service,
    lag: 900,
  });
  try {
    await proxy.ready(target.endpoints, 30_000);
    const load = startLoad({ port: proxy.port, rate: target.rate, maxSeconds: 240 });
    await sleep(target.around ?? 5_000);
    const result = await body();
    await sleep(target.around ?? 5_000);
    while (load.sent() < target.requests) await sleep(100);
    return { result, load: await load.stop() };
  } finally {
    await proxy.stop();
  }
}
