/**
 * Exact arithmetic with the decimals that people write. `0.9` means nine tenths, not the nearest binary fraction: PaaSTA's
 * `int((1 - 0.9) * 100)` is 9 (register R13) and its `ceil(10 * 0.7)`-like products can be one too many (`float-ceil`).
 */

interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** The same few factors and counts in every instance. */
const FRACTIONS = new Map<number, Fraction>();

/** The decimal that a number is written as, as a fraction. Throws `RangeError` for infinite values and NaN. */
function fraction(value: number): Fraction {
  const known = FRACTIONS.get(value);
  if (known !== undefined) return known;
  const made = fractionOf(value);
  if (FRACTIONS.size >= 1_000) FRACTIONS.clear();
  FRACTIONS.set(value, made);
  return made;
}

function fractionOf(value: number): Fraction {
  if (!Number.isFinite(value)) throw new RangeError(`${value} is not a finite number`);
  const [mantissa = '0', power = '0'] = value.toString().split('e');
  const [whole = '0', decimals = ''] = mantissa.split('.');
  const exponent = Number(power) - decimals.length;
  const digits = BigInt(`${whole}${decimals}`);
  return exponent >= 0
    ? { numerator: digits * 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-exponent) };
}

function floorOf({ numerator, denominator }: Fraction): number {
  const quotient = numerator / denominator;
  return Number(numerator < 0n && numerator % denominator !== 0n ? quotient - 1n : quotient);
}

/** Smallest integer that is not below `a × b`. */
export function ceilOfProduct(a: number, b: number): number {
  const [x, y] = [fraction(a), fraction(b)];
  return -floorOf({ numerator: -(x.numerator * y.numerator), denominator: x.denominator * y.denominator });
}

/** Largest integer that is not above `a × b`. */
export function floorOfProduct(a: number, b: number): number {
  const [x, y] = [fraction(a), fraction(b)];
  return floorOf({ numerator: x.numerator * y.numerator, denominator: x.denominator * y.denominator });
}

/** Whole percents of a share, cut: 0.29 → 29. */
export function percentOf(share: number): number {
  return floorOfProduct(share, 100);
}

/** Whole percents of what is left of 1: 0.9 → 10. May be negative for shares above 1. */
export function percentLeft(share: number): number {
  const { numerator, denominator } = fraction(share);
  return floorOf({ numerator: (denominator - numerator) * 100n, denominator });
}

/** Replicas that must be healthy: `ceil(margin × wanted)`. */
export function neededReplicas(wanted: number, marginFactor: number): number {
  return ceilOfProduct(wanted, marginFactor);
}
