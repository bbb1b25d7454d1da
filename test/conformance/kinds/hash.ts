/** `hash`: when the config hash changes, and when it must not. */
import { canonicalJson } from '../../../src/shared/contract/canonical-json.ts';
import type { RenderedInstance } from '../../../src/shared/workload/index.ts';
import { REFUSED, type JsonMap, type Plug } from '../types.ts';
import { comparable, render, rendered } from './rendering.ts';

export const plug: Plug = {
  answer: (test) => {
    const [a, b] = [test.input['a'], test.input['b']].map((side) => render(test.input, side as JsonMap));
    if (!rendered(a) || !rendered(b) || 'a' in test.expected)
      return { ours: { a: rendered(a) ? 'ok' : REFUSED, b: rendered(b) ? 'ok' : REFUSED }, wanted: test.expected };
    const differs = (of: (side: RenderedInstance) => unknown): boolean => canonicalJson(of(a)) !== canonicalJson(of(b));
    const ours = {
      hash_differs: a.configHash !== b.configHash,
      pod_template_differs: differs((side) => comparable((side.workload.spec as JsonMap)['template'])),
      object_differs: differs((side) => comparable(side.workload)),
    };
    return { ours, wanted: test.expected };
  },
};
