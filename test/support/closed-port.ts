/** A port of loopback that refuses connections, for as long as it is held. */
import net from 'node:net';
import { once } from 'node:events';

export interface ClosedPort {
  readonly port: number;
  release(): void;
}

/**
 * The near end of a connection: nobody listens there, and nobody else can be given it. A port that was free a moment ago may be
 * that of a server in another test by now.
 */
export async function holdClosedPort(): Promise<ClosedPort> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = (await Promise.all([once(server, 'connection'), once(near, 'connect')]))[0] as [net.Socket];
  server.close();
  return {
    port: near.localPort as number,
    release() {
      near.destroy();
      far.destroy();
    },
  };
}
