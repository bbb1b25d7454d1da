import {
  controlTag,
  deployTag,
  groupsOf,
  imageVersionFor,
  parseTag,
  rollbackTag,
  splitTag,
  tagRef,
  type MarkTag,
} from '../../../src/shared/contract/tags.ts';
import { processorTime } from '../../support/processor-time.ts';

const ts = '20240102T030405';

describe('tag grammar', () => {
  it("writes PaaSTA's names", () => {
    expect(deployTag('prod.main', ts)).toBe('paasta-prod.main-20240102T030405-deploy');
    expect(deployTag('prod.main', ts, '')).toBe('paasta-prod.main-20240102T030405-deploy');
    expect(deployTag('prod.main', ts, '20240103T000000')).toBe('paasta-prod.main+20240103T000000-20240102T030405-deploy');
    expect(rollbackTag('prod.main', ts, 'v1')).toBe('paasta-prod.main+v1-20240102T030405-rollback');
    expect(controlTag('eu-west', 'main', ts, 'stop')).toBe('paasta-eu-west.main-20240102T030405-stop');
  });

  it.each([
    ['refs/tags/v1.0'],
    ['refs/heads/paasta-prod-20240102T030405-deploy'],
    ['refs/tags/Paasta-prod-20240102T030405-deploy'],
    ['refs/tags/paasta-prod-20240102T030405-deploy^{}'],
    ['refs/tags/paasta-prod-20240102T030405-deployed'],
    ['refs/tags/paasta-prod-2024-01-02-deploy'],
    ['refs/tags/paasta--20240102T030405-deploy'],
    ['refs/tags/paasta-prod-\u0662024010T030405-deploy'],
    ['refs/tags/v1.0-rc1-start'],
    ['refs/tags/paasta-123-start'],
    ['refs/tags/paasta-prod+1.main-123-stop'],
    ['refs/tags/paasta-prod/main-123-stop'],
  ])('%s is none of ours', (ref) => {
    expect(parseTag(ref)).toBeUndefined();
  });

  // Unescaped groups (PaaSTA) would mix these up: a deploy of one would move the other.
  it.each<[string, string, string | null | undefined]>([
    ['prod.main', 'prod.main', null],
    ['prod.main', 'prodXmain', undefined],
    ['a', 'a-b', undefined],
    ['a-b', 'a', undefined],
    ['a+1', 'a+1', null],
    ['a+1', 'a', '1'],
    ['a+', 'a', null],
    ['a|b', 'a', undefined],
    ['a|b', 'b', undefined],
    ['a|b', 'a|b', null],
    ['a(b', 'a(b', null],
    ['__proto__', '__proto__', null],
    ['paasta-x', 'paasta-x', null],
    ['paasta-x', 'x', undefined],
    ['a-20240101T000000', 'a', undefined],
  ])('a mark of %s, asked for %s: %s', (marked, asked, imageVersion) => {
    const tag = parseTag(tagRef(deployTag(marked, ts))) as MarkTag;
    expect(tag).toMatchObject({ kind: 'deploy', subject: marked, timestamp: ts });
    expect(imageVersionFor(tag, asked)).toBe(imageVersion);
    expect(groupsOf(tag).includes(asked)).toBe(imageVersion !== undefined);
  });

  it('reads start and stop with one or two prefixes, and any token without a dash', () => {
    expect(parseTag('refs/tags/paasta-eu-west.main-123-stop')).toMatchObject({ kind: 'stop', branch: 'eu-west.main', token: '123' });
    expect(parseTag('refs/tags/paasta-paasta-dev.main-20240102T030405-start')).toMatchObject({
      kind: 'start',
      branch: 'dev.main',
      outerBranch: 'paasta-dev.main',
    });
  });

  it('round-trips ten thousand random marks and controls', () => {
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
    const word = (): string => Array.from({ length: 1 + random(12) }, () => 'abcXYZ019_.-'.charAt(random(12))).join('');
    for (let i = 0; i < 10_000; i++) {
      const group = word();
      const imageVersion = random(2) === 0 ? null : word();
      const tag = parseTag(tagRef(deployTag(group, ts, imageVersion))) as MarkTag;
      expect(imageVersionFor(tag, group)).toBe(imageVersion);
      const [cluster, instance] = [`c${word()}`, word()];
      expect(parseTag(tagRef(controlTag(cluster, instance, ts, 'stop')))).toMatchObject({
        outerBranch: `${cluster}.${instance}`,
        token: ts,
      });
    }
  });

  it('splits any tag of the family for listings', () => {
    expect(splitTag('refs/tags/paasta-paasta-x+v-20240101T000000-restart')).toEqual({
      deployGroup: 'x',
      imageVersion: 'v',
      timestamp: '20240101T000000',
      action: 'restart',
    });
    expect(splitTag('refs/tags/x-20240101T000000-deploy')).toBeUndefined();
  });

  it('is linear on hostile names', () => {
    const milliseconds = processorTime(() => {
      for (const evil of ['-20240101T000000'.repeat(6_000), '+'.repeat(1_000), 'a-'.repeat(50_000), 'paasta-'.repeat(15_000)]) {
        for (const action of ['deploy', 'stop', 'x']) {
          parseTag(`refs/tags/paasta-${evil}-${action}`);
          splitTag(`refs/tags/paasta-${evil}-${action}`);
        }
      }
    });
    expect(milliseconds).toBeLessThan(1_000);
  });
});

// Found by the fuzzer: thousands of plus signs made thousands of long groups.
it('takes no group of more than a thousand letters out of a mark, but the whole subject', () => {
  const tag = parseTag(`refs/tags/paasta-${'a+'.repeat(8_000)}a-20240101T000000-deploy`);
  if (tag?.kind !== 'deploy') throw new Error('no mark');
  const [whole, ...groups] = groupsOf(tag);
  expect(whole).toHaveLength(16_001);
  expect(groups).toHaveLength(500);
  expect(groups.every((group) => group.length <= 1_000)).toBe(true);
  const short = parseTag('refs/tags/paasta-a+b+c-20240101T000000-deploy');
  expect(short?.kind === 'deploy' && groupsOf(short)).toEqual(['a+b+c', 'a+b', 'a']);
});
