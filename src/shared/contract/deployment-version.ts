import { pythonJson } from './python-text.ts';

/**
 * What a deploy group runs: a commit and, for rebuilds of the same commit, an image version.
 * Rule: `DeploymentVersion` of paasta_tools/utils.py. Equality is on both fields.
 */
export interface DeploymentVersion {
  /** Full commit id, 40 lower-case hexadecimal digits. */
  readonly sha: string;
  /** Never empty: an empty image version is normalised to none (`null`). */
  readonly imageVersion: string | null;
}

export function sameVersion(a: DeploymentVersion | undefined, b: DeploymentVersion | undefined): boolean {
  return a !== undefined && b !== undefined && a.sha === b.sha && a.imageVersion === b.imageVersion;
}

/** Short form for people: the first 8 digits, and the image version when there is one. */
export function shortVersion(v: DeploymentVersion): string {
  return v.imageVersion === null ? v.sha.slice(0, 8) : `${v.sha.slice(0, 8)}-${v.imageVersion}`;
}

/** PaaSTA's three spellings of a version: for messages, short, and JSON as Python writes it. */
export function deploymentVersionForms(v: DeploymentVersion): { readonly text: string; readonly short: string; readonly json: string } {
  const form = (sha: string): string => (v.imageVersion === null ? sha : `DeploymentVersion(sha=${sha}, image_version=${v.imageVersion})`);
  return { text: form(v.sha), short: form(v.sha.slice(0, 8)), json: pythonJson({ sha: v.sha, image_version: v.imageVersion }) };
}
