/** What is remembered of a running cluster: enough to use it, to restart its parts and to take it down from elsewhere. */
import fs from 'node:fs';
import path from 'node:path';
import { recorded, recordedNames } from './processes.ts';
import { knownNames, partState } from './places.ts';
import { Api, credentialsOf, readKubeconfig } from './api.ts';
import type { Launch } from './processes.ts';
import type { Ports } from './control-plane.ts';

export const SIZES = ['control-plane', 'full'] as const;
export type Size = (typeof SIZES)[number];

export interface ClusterRecord {
  readonly name: string;
  readonly size: Size;
  readonly fakeNodes: number;
  readonly ports: Ports;
  readonly version: string;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly kubectl: string;
  readonly adminToken: string;
  readonly extraApiServerArgs: readonly string[];
  readonly extraControllerManagerArgs: readonly string[];
  /** Set when the cluster answered; an interrupted start leaves it false. */
  readonly whole: boolean;
  readonly bridge?: string;
  readonly launches: Readonly<Record<string, Launch>>;
}

const recordFile = (dir: string): string => path.join(dir, 'cluster.json');

export function readRecord(dir: string): ClusterRecord | undefined {
  try {
    return JSON.parse(fs.readFileSync(recordFile(dir), 'utf8')) as ClusterRecord;
  } catch {
    return undefined;
  }
}

export function writeRecord(dir: string, record: ClusterRecord): void {
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(`${recordFile(dir)}.new`, JSON.stringify(record, null, 1), { mode: 0o600 });
  fs.renameSync(`${recordFile(dir)}.new`, recordFile(dir));
}

/** Ports that other clusters of this state root hold or will hold. */
export function promisedPorts(): Set<number> {
  return new Set(knownNames().flatMap((n) => Object.values(readRecord(partState(n, 'kubernetes'))?.ports ?? {})));
}

/** Every recorded process lives and the API server says that it is ready. */
export async function isUp(dir: string): Promise<boolean> {
  const record = readRecord(dir);
  if (record?.whole !== true) return false;
  const wanted = Object.keys(record.launches);
  if (wanted.some((n) => recorded(dir, n) === undefined) || recordedNames(dir).length < wanted.length) return false;
  const api = new Api(credentialsOf(readKubeconfig(path.join(dir, 'admin.kubeconfig'))), 'paasta-testbed');
  try {
    return await api.ready();
  } finally {
    api.close();
  }
}
