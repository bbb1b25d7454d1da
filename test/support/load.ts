/**
 * A client at a fixed rate, without retries: half of the requests on connections that are kept alive, half on fresh ones.
 * Bounded in time and count, and only to loopback.
 */
import http from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoadResult {
  readonly sent: number;
  readonly lost: number;
  /** Reason → how often. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Body → how often: which version answered. */
  readonly answers: Readonly<Record<string, number>>;
  /** Milliseconds for which this process itself stood still, at most: what is lost then says little about the service. */
  readonly stalled: number;
}

export interface Load {
  /** Requests sent so far. */
  sent(): number;
  lost(): number;
  /** Lets the requests in flight finish, then tells. */
  stop(): Promise<LoadResult>;
}

export function startLoad(options: { port: number; rate: number; path?: string; maxSeconds?: number; maxRequests?: number }): Load {
  // Each connection in its turn: one that lies idle for long meets a server that is gone, which no client that retries would call lost.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16, scheduling: 'fifo' });
  const reasons: Record<string, number> = {};
  const answers: Record<string, number> = {};
  let sent = 0;
  let lost = 0;
  let open = 0;
  const began = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const maxRequests = options.maxRequests ?? 200_000;
  const lose = (reason: string): void => {
    lost++;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  };
  const one = (keepAlive: boolean): void => {
    sent++;
    open++;
    let over = false;
    const end = (reason?: string): void => {
      if (over) return;
      over = true;
      open--;
      if (reason !== undefined) lose(`${keepAlive ? 'kept-alive' : 'fresh'} connection: ${reason}`);
    };
    const request = http.get(
      {
        host: '127.0.0.1',
        port: options.port,
        path: options.path ?? '/',
        agent: keepAlive ? agent : false,
        timeout: 10_000,
        ...(keepAlive ? {} : { headers: { connection: 'close' } }),
      },
      (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (body += chunk))
          .on('error', (error) => {
            end(error.message);
          })
          .on('end', () => {
            answers[body.trim()] = (answers[body.trim()] ?? 0) + 1;
            end(response.statusCode === 200 ? undefined : `HTTP ${String(response.statusCode)}`);
          });
      },
    );
    request
      .on('timeout', () => request.destroy(new Error('no answer within 10 s')))
      .on('error', (error: NodeJS.ErrnoException) => {
        end(error.code ?? error.message);
      });
  };
  // by the clock, not by the tick: a late timer sends what is due, so the rate holds
  const timer = setInterval(() => {
    const seconds = (performance.now() - began) / 1_000;
    if (seconds > (options.maxSeconds ?? 180)) {
      clearInterval(timer);
      return;
    }
    const due = Math.min(maxRequests, Math.floor(seconds * options.rate));
    while (sent < due) one(sent % 2 === 0);
  }, 5);
  return {
    sent: () => sent,
    lost: () => lost,
    async stop() {
      clearInterval(timer);
      const end = Date.now() + 11_000;
      while (open > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
      agent.destroy();
      delay.disable();
      return { sent, lost, reasons, answers, stalled: Math.round(delay.max / 1e6) };
    },
  };
}
