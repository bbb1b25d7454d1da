/** A loopback server before a registry (or instead of one), whose answers a test may change; it records what it is asked. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly authorization: string | undefined;
}

export interface Front {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  readonly asked: Asked[];
  /** Answers a request itself by returning true; `undefined` and false let it pass to the registry behind. */
  intercept: ((request: http.IncomingMessage, response: http.ServerResponse) => boolean | undefined) | undefined;
  close(): Promise<void>;
}

/** Starts a front; without `behind` (`127.0.0.1:<port>`) everything that is not intercepted is a 404. */
export async function startFront(behind?: string): Promise<Front> {
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    asked.push({ method: request.method ?? '', path: request.url ?? '', authorization: request.headers.authorization });
    if (front.intercept?.(request, response) === true) return;
    if (behind === undefined) {
      response.writeHead(404).end();
      return;
    }
    const [hostname, port] = behind.split(':') as [string, string];
    const onward = http.request(
      { hostname, port, method: request.method ?? 'GET', path: request.url ?? '/', headers: request.headers, agent: false },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: Front = {
    host: `127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    asked,
    intercept: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return front;
}
