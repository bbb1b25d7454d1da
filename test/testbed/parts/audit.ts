/** Counting what was asked of the API server, from its own audit log: the proof of "0 writes" and "at most 10 requests". */
import fs from 'node:fs';
import { TestbedError } from './say.ts';

/** One line of the audit log, as far as it is read here. */
export interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent?: string;
  /** When it came in and when it was answered, as RFC 3339 with microseconds. */
  readonly requestReceivedTimestamp?: string;
  readonly stageTimestamp?: string;
  readonly user?: { readonly username?: string };
  readonly objectRef?: { readonly resource?: string; readonly namespace?: string; readonly name?: string; readonly subresource?: string };
  readonly responseStatus?: { readonly code?: number };
}

export interface AuditCounts {
  readonly total: number;
  readonly reads: number;
  readonly writes: number;
  readonly byVerb: Readonly<Record<string, number>>;
  /** One line per write, to say which one was not expected: `patch /apis/apps/v1/…`. */
  readonly written: readonly string[];
}

/** Whose requests count: a part of the user agent (or a pattern), the user's name, a path of the request. All that are given must match. */
export interface AuditFilter {
  readonly userAgent?: string | RegExp;
  readonly user?: string;
  readonly uri?: RegExp;
}

const READS = new Set(['get', 'list', 'watch']);
/** Nothing is stored by a dry-run, nor by a question about one's own rights. */
const STORES_NOTHING = /[?&]dryRun=All(?:&|$)|^\/apis\/authorization\.k8s\.io\//;

/** Reads whole lines only: the API server may be writing the last one. */
export function parseAudit(text: string): AuditEvent[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => JSON.parse(l) as AuditEvent);
}

/** Counts requests, not stages: a watch has two entries and is one request. */
export function countRequests(events: readonly AuditEvent[], filter: AuditFilter = {}): AuditCounts {
  const seen = new Set<string>(),
    byVerb: Record<string, number> = {},
    written: string[] = [];
  for (const event of events) {
    const agent = event.userAgent ?? '';
    if (typeof filter.userAgent === 'string' && !agent.includes(filter.userAgent)) continue;
    if (filter.userAgent instanceof RegExp && !filter.userAgent.test(agent)) continue;
    if (filter.uri?.test(event.requestURI) === false) continue;
    if (filter.user !== undefined && event.user?.username !== filter.user) continue;
    if (seen.has(event.auditID)) continue;
    seen.add(event.auditID);
    byVerb[event.verb] = (byVerb[event.verb] ?? 0) + 1;
    if (!READS.has(event.verb) && !STORES_NOTHING.test(event.requestURI)) written.push(`${event.verb} ${event.requestURI}`);
  }
  return { total: seen.size, reads: seen.size - written.length, writes: written.length, byVerb, written };
}

/** A moment, for `auditCounts` to count only what was asked later. */
export interface AuditMark {
  /** Bytes of the log that need not be read again. */
  readonly offset: number;
  /** Milliseconds since the epoch. What was asked before may be written after it. */
  readonly at: number;
}

const START: AuditMark = { offset: 0, at: 0 };
const sizeOf = (auditLogPath: string): number => (fs.existsSync(auditLogPath) ? fs.statSync(auditLogPath).size : 0);

/** Now. */
export function auditMark(auditLogPath: string): AuditMark {
  return { offset: sizeOf(auditLogPath), at: Date.now() };
}

/** The log is written just after the answer goes out: an answered request is in it when nothing was written for so long. */
const SETTLED_MS = 200;
/** Others may be busy on the same cluster all the time. */
const SETTLE_AT_MOST_MS = 2_000;

function settle(auditLogPath: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let [waited, size] = [0, -1]; waited < SETTLE_AT_MOST_MS && size !== sizeOf(auditLogPath); waited += SETTLED_MS) {
    size = sizeOf(auditLogPath);
    Atomics.wait(pause, 0, 0, SETTLED_MS);
  }
}

/** The events of requests that came in since a moment, of those answered before the call. Blocks until the log is at rest, at most 2 s. */
export function auditEvents(auditLogPath: string, since: AuditMark = START): AuditEvent[] {
  if (auditLogPath === '')
    throw new TestbedError(
      'this cluster has no audit log that the testbed can read',
      "use the testbed's own cluster for tests that count requests",
    );
  settle(auditLogPath);
  const size = sizeOf(auditLogPath),
    // one byte earlier: it tells whether the mark was set between two lines or while one was being written
    from = Math.max(0, Math.min(since.offset, size) - 1),
    buffer = Buffer.alloc(size - from);
  const file = fs.openSync(auditLogPath, 'r');
  try {
    fs.readSync(file, buffer, 0, buffer.length, from);
  } finally {
    fs.closeSync(file);
  }
  return parseAudit(buffer.toString('utf8', from === 0 ? 0 : buffer.indexOf('\n') + 1)).filter(
    ({ requestReceivedTimestamp }) => Date.parse(requestReceivedTimestamp ?? '') >= since.at,
  );
}

/** Requests since a moment, by verb; `who` as a text or pattern is about the user agent. */
export function auditCounts(auditLogPath: string, since?: AuditMark, who: string | RegExp | AuditFilter = {}): AuditCounts {
  const filter = typeof who === 'string' || who instanceof RegExp ? { userAgent: who } : who;
  return countRequests(auditEvents(auditLogPath, since), filter);
}
