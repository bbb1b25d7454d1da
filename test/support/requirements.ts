/**
 * What a test needs of the machine. A test that cannot run is never silently green: it is named, and the run fails
 * unless PAASTA_TEST_ALLOW_MISSING=1.
 */
import { appendFileSync } from 'node:fs';

export interface Requirement {
  readonly what: string;
  /** `undefined`: present. Else: what is missing and what to do. */
  readonly missing: string | undefined;
}

/** Root on Linux: docker engine, kubelet and containerd are started by the testbed itself. */
export function root(): Requirement {
  const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
  return {
    what: 'root',
    missing: isRoot ? undefined : 'root on Linux (it starts a docker engine or a kubelet): run the command with sudo',
  };
}

/** `describe`, when everything that it needs is there. */
export function describeWith(requirements: readonly Requirement[], name: string, body: () => void): void {
  const missing = requirements.filter((r) => r.missing !== undefined);
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const line = `${name}: needs ${missing.map((r) => r.missing).join('; ')}`;
  const file = process.env['PAASTA_TEST_NOT_RUN'];
  if (file !== undefined) appendFileSync(file, `${line}\n`);
  describe(name, () => {
    it(`not run here: ${line}`, () => {
      if (process.env['PAASTA_TEST_ALLOW_MISSING'] !== '1') throw new Error(`not run: ${line}`);
    });
  });
}
