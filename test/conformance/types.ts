/** What a kind of vector has to bring, and what a listed difference is. Format: the README of the conformance vectors. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonMap = { readonly [key: string]: Json };

export interface Case {
  readonly id: string;
  readonly kind: string;
  readonly input: JsonMap;
  readonly expected: JsonMap;
  readonly notes: readonly string[];
}

/**
 * Ours for one case. `value` has the shape of `wanted` (both are compared by value, `undefined` members count as absent).
 * A thrown error counts as a refusal: return it as `refused(error)`.
 */
export interface Answer {
  readonly ours: unknown;
  /** What equal means: usually `case.expected`, reshaped to the parts that are comparable (`expected.fixed` where it is given). */
  readonly wanted: unknown;
}

/**
 * One file per kind: `test/conformance/kinds/<kind>.ts` exports `plug: Plug`. It calls the product's own functions; only comparing and
 * reshaping happen here.
 */
export interface Plug {
  /**
   * `undefined`: this case is not yet covered. Values like `{"error": …}` in `expected` are equal to any refusal of ours:
   * put `REFUSED` where ours refuses.
   */
  answer(test: Case): Answer | undefined | Promise<Answer | undefined>;
  /** Replaces the comparison by value when the README asks for another one (kind `validate`). */
  equal?(answer: Answer, test: Case): boolean;
}

/** Stands for any refusal in `ours`; equal to `{"error": …}` and to texts such as `error:…`, `raises:…` in `wanted`. */
export const REFUSED = Symbol.for('paasta-conformance-refused');

/**
 * A difference from PaaSTA that is wanted. It is a rule about cases, never a list of case ids, and it says the exact value that ours gives.
 */
export interface Difference {
  /** A label of the README's first table, a register number, or a name of its own (`D-…`). */
  readonly name: string;
  readonly kinds: readonly string[];
  /** True when `name` is in the README's first table: then the rule may excuse any number of cases, otherwise at most 2 % of a kind. */
  readonly foreseen: boolean;
  readonly reason: string;
  applies(test: Case): boolean;
  /** The value that ours must have instead of `wanted`, exactly. May be composed with other rules: gets what they left. */
  instead(wanted: unknown, test: Case): unknown;
}
