/** A watch that does not end: reads lines, keeps its place by bookmarks, lists anew when the server forgot it, reconnects with back-off. */
import { CancelledError, messageOf, UserError } from '../contract/errors.ts';
import type { Clock, Log } from '../contract/ports.ts';
import type { KubeObject } from '../objects/types.ts';
import { lean } from './lean.ts';
import { ApiRefusal, isTransient, refusal, type Asked } from './refusals.ts';
import { parse, type Call, type Transport } from './transport.ts';
import type { Change, Listed } from './types.ts';

export interface WatchSource {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Pick<Log, 'debug'>;
  readonly path: string;
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly asked: Asked;
  list(signal: AbortSignal): Promise<Listed>;
}

/** The server said that our place in the stream is gone (410, or an ERROR event). */
class PlaceLost extends Error {}

/** Lines of a body, without the platform's line reader: that one loses what follows an abort. */
async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let end = rest.indexOf('\n');
    if (end < 0) continue;
    let start = 0;
    while (end >= 0) {
      if (end > start) yield rest.slice(start, end);
      start = end + 1;
      end = rest.indexOf('\n', start);
    }
    rest = rest.slice(start);
  }
}

interface WatchLine {
  readonly type: string;
  readonly object: KubeObject & { code?: number; message?: string; reason?: string };
}

/** Events of one connection, after `undefined` once it stands. Returns when the server ends it in good order. */
async function* connection(
  source: WatchSource,
  place: { version: string },
  opened: () => void,
  signal: AbortSignal,
): AsyncGenerator<WatchLine | undefined> {
  const call: Call = {
    method: 'GET',
    path: source.path,
    asked: source.asked,
    // Spread, so that many watches do not come back at the same moment.
    query: {
      ...source.query,
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion: place.version,
      timeoutSeconds: 240 + Math.floor(Math.random() * 60),
    },
  };
  const answer = await source.transport.open(call, signal);
  if (answer.statusCode !== 200) {
    const text = await answer.body.text();
    if (answer.statusCode === 410) throw new PlaceLost(text.slice(0, 200));
    throw refusal(answer.statusCode, parse(text), source.asked, source.transport.target);
  }
  opened();
  yield undefined;
  for await (const line of lines(answer.body)) {
    const event = JSON.parse(line) as WatchLine;
    if (event.type === 'ERROR') {
      if (event.object.code === 410 || event.object.reason === 'Expired' || event.object.reason === 'Gone')
        throw new PlaceLost(event.object.message ?? 'expired');
      throw refusal(event.object.code ?? 500, event.object, source.asked, source.transport.target);
    }
    const version = event.object.metadata.resourceVersion;
    if (version !== undefined) place.version = version;
    yield event;
  }
}

/** 4xx answers that will not get better by asking again. */
function isFinal(error: unknown): boolean {
  return error instanceof ApiRefusal && error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 410;
}

/**
 * Changes from `resourceVersion` on (or from a list of its own) until the signal aborts. Throws only what asking again
 * cannot mend: 403 and the like.
 */
export async function* follow(source: WatchSource, resourceVersion: string | undefined, signal: AbortSignal): AsyncGenerator<Change> {
  const place = { version: resourceVersion ?? '' };
  let failures = 0;
  let lost = false;
  while (!signal.aborted) {
    const pending: Change[] = [];
    try {
      if (place.version === '') {
        const listed = await source.list(signal);
        place.version = listed.resourceVersion;
        yield { type: 'reset', items: listed.items };
      }
      const opened = (): void => {
        failures = 0;
        if (lost) pending.push({ type: 'back' });
        lost = false;
      };
      for await (const event of connection(source, place, opened, signal)) {
        yield* pending.splice(0);
        if (event === undefined) continue;
        if (event.type === 'ADDED' || event.type === 'MODIFIED') yield { type: 'put', object: lean(event.object) };
        else if (event.type === 'DELETED') yield { type: 'gone', object: event.object };
      }
      // Ended in good order (its time was over, or the server goes down): go on from our place.
      failures = 0;
      source.log.debug(`kubernetes: watch of ${source.asked.resource} goes on from ${place.version}`);
      await source.clock.sleep(50, signal);
    } catch (error) {
      if (signal.aborted || error instanceof CancelledError) return;
      if (error instanceof PlaceLost) {
        source.log.debug(`kubernetes: watch of ${source.asked.resource} lost its place, lists anew (${error.message})`);
        place.version = '';
        continue;
      }
      if (isFinal(error) && !(error instanceof ApiRefusal && source.transport.mayPass(error.status))) throw error;
      if (!(error instanceof ApiRefusal)) source.transport.disturbed();
      if (!(error instanceof ApiRefusal) && !(error instanceof UserError) && !isTransient(error) && !(error instanceof SyntaxError)) {
        source.log.debug(`kubernetes: watch of ${source.asked.resource}: ${messageOf(error)}`);
      }
      failures += 1;
      if (failures === 2 && !lost) {
        lost = true;
        yield { type: 'lost', message: messageOf(error) };
      }
      const wait = Math.min(100 * 2 ** failures, 3_000) * (0.75 + Math.random() / 2);
      try {
        await source.clock.sleep(wait, signal);
      } catch {
        return;
      }
    }
  }
}
