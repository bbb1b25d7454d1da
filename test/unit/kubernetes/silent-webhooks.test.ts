import { SilentWebhooks } from '../../../src/shared/kubernetes/silent-webhooks.ts';

describe('webhooks that do not answer', () => {
  const at = (seconds: number): number => 1_000_000 + seconds * 1_000;

  it('are waited for by all requests together, and longer than their replacement takes', () => {
    const webhooks = new SilentWebhooks();
    for (const second of [0, 1, 5, 10, 15, 20]) expect([second, webhooks.isOver('a', 9, at(second), 4_000)]).toEqual([second, false]);
    expect(webhooks.isOver('a', 9, at(22), 4_000)).toBe(true);
    // a request that comes later has its own few tries, and no more
    expect([1, 2, 3, 4].map((tries) => webhooks.isOver('a', tries, at(24 + tries), 400))).toEqual([false, false, false, true]);
    expect(webhooks.isOver('b', 9, at(30), 4_000)).toBe(false);
  });

  it('are forgotten once nobody met them silent for a while', () => {
    const webhooks = new SilentWebhooks();
    for (const second of [0, 10, 20]) webhooks.isOver('a', 9, at(second), 1_000);
    expect(webhooks.isOver('a', 9, at(40), 1_000)).toBe(false);
    expect(webhooks.isOver('a', 9, at(54), 1_000)).toBe(false);
  });
});
