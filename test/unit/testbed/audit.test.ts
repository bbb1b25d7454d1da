import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditCounts, auditMark, countRequests, parseAudit } from '../../testbed/parts/audit.ts';

const line = (auditID: string, verb: string, more: object = {}): string =>
  `${JSON.stringify({ auditID, stage: 'ResponseComplete', verb, requestURI: `/api/v1/${auditID}`, userAgent: 'paasta-actions/1.0', user: { username: 'ci' }, ...more })}\n`;

describe('counting requests in the audit log', () => {
  it('counts a watch once, although it has two entries', () => {
    // without this every watch would be two requests and "at most 10 requests" would mean something else
    const text = line('a', 'watch', { stage: 'ResponseStarted' }) + line('a', 'watch') + line('b', 'list');
    expect(countRequests(parseAudit(text))).toMatchObject({ total: 2, reads: 2, writes: 0, byVerb: { watch: 1, list: 1 } });
  });

  it('names every write', () => {
    const counts = countRequests(parseAudit(line('a', 'patch') + line('b', 'get') + line('c', 'deletecollection') + line('d', 'create')));
    expect(counts).toMatchObject({ writes: 3, reads: 1, written: ['patch /api/v1/a', 'deletecollection /api/v1/c', 'create /api/v1/d'] });
  });

  it('counts only whose requests are asked for', () => {
    const events = parseAudit(
      line('a', 'patch') +
        line('b', 'patch', { userAgent: 'kube-controller-manager/v1' }) +
        line('c', 'get', { user: { username: 'other' } }),
    );
    expect(countRequests(events, { userAgent: 'paasta' }).total).toBe(2);
    expect(countRequests(events, { userAgent: /^kube-/ }).total).toBe(1);
    expect(countRequests(events, { userAgent: 'paasta', user: 'ci' }).total).toBe(1);
    expect(countRequests(events, { uri: /\/c$/ }).total).toBe(1);
  });

  it('leaves out a line that the API server has not finished writing', () => {
    expect(parseAudit(`${line('a', 'get')}{"auditID":"b","verb":"pat`)).toHaveLength(1);
    expect(parseAudit('{"half')).toEqual([]);
  });

  it('counts since a moment: neither what was being written then, nor what was asked before and written after it', () => {
    const scratch = mkdtempSync(join(tmpdir(), 'paasta-audit-'));
    const log = join(scratch, 'audit.log');
    const came = (milliseconds: number): object => ({ requestReceivedTimestamp: new Date(milliseconds).toISOString() });
    const before = line('a', 'patch', came(Date.now() - 50));
    for (const cut of [0, 20, before.length]) {
      writeFileSync(log, before.slice(0, cut));
      const mark = auditMark(log);
      appendFileSync(log, before.slice(cut) + line('b', 'patch', came(mark.at - 10)) + line('c', 'create', came(mark.at + 10)));
      expect(auditCounts(log, mark).written).toEqual(['create /api/v1/c']);
      expect(auditCounts(log).total).toBe(3);
    }
    rmSync(scratch, { recursive: true });
  });
});
