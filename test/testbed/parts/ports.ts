/** Free ports on loopback. */
import net from 'node:net';

/** True when something listens there. */
export function portOpen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host });
    const answer = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(1000, () => {
      answer(false);
    });
    socket.once('connect', () => {
      answer(true);
    });
    socket.once('error', () => {
      answer(false);
    });
  });
}

function bindable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** Picks `count` free ports below the ephemeral range, none of those already promised. */
export async function freePorts(count: number, promised: ReadonlySet<number> = new Set(), from = 21_000, span = 10_000): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const port = from + Math.floor(Math.random() * span);
    if (!promised.has(port) && !found.includes(port) && (await bindable(port))) found.push(port);
  }
  return found;
}
