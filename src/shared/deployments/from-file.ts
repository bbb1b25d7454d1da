/** Deployments of one service from `deployments.json` (version 2), PaaSTA's file between marking and deploying. */
import { isCommit } from '../contract/commit.ts';
import { problem, type Problem } from '../contract/errors.ts';
import { quoted } from '../contract/validity.ts';
import type { Control, Deployed, Deployments } from './types.ts';

type Members = Readonly<Record<string, unknown>>;

/** A mapping, with own members only: `constructor` and `__proto__` are keys like any other. */
function membersOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value as Members)) : undefined;
}

const GENERATE = 'write it anew with generate-deployments, or deploy from the refs of the repository';

/** Reads the file's text. Never throws: what cannot be used is a problem, and the rest is still there. */
export function deploymentsFromFile(service: string, text: string, file: string): Deployments {
  const problems: Problem[] = [];
  const say = (code: string, message: string, hint = GENERATE): void => void problems.push(problem(code, message, { file, hint }));
  const versions = new Map<string, Deployed>();
  const controls = new Map<string, Control>();
  const whole = membersOf(parse(text, say));
  const v2 = membersOf(whole?.get('v2'));
  if (whole !== undefined && v2 === undefined) {
    const old = whole.has('v1') ? "it has only 'v1', which says neither commit nor deploy group" : `it has no 'v2' mapping (found: ${[...whole.keys()].slice(0, 5).map(quoted).join(', ') || 'nothing'})`;
    say('DEPLOYMENTS_WITHOUT_V2', `deployments.json of ${service} cannot be used: ${old}`);
  }
  for (const part of ['deployments', 'controls']) {
    if (v2?.has(part) === true && membersOf(v2.get(part)) === undefined) say('BAD_DEPLOYMENTS', `'v2.${part}' of ${service} is not a mapping`);
  }
  for (const [group, entry] of membersOf(v2?.get('deployments')) ?? []) {
    const deployed = readDeployed(group, entry, say);
    if (deployed !== undefined) versions.set(group, deployed);
  }
  for (const [key, entry] of membersOf(v2?.get('controls')) ?? []) {
    const control = readControl(key, entry, say);
    if (control !== undefined) controls.set(key, control);
  }
  return {
    service,
    source: 'deployments.json',
    problems,
    version: (group) => versions.get(group),
    control: (branch) => controls.get(`${service}:${branch}`) ?? { desiredState: 'start', forceBounce: null },
  };
}

function parse(text: string, say: (code: string, message: string, hint?: string) => void): unknown {
  if (text.trim() === '') {
    say('DEPLOYMENTS_UNREADABLE', 'deployments.json is empty');
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text.startsWith('\ufeff') ? text.slice(1) : text);
    if (membersOf(value) === undefined) say('DEPLOYMENTS_UNREADABLE', 'deployments.json is not a JSON object');
    return value;
  } catch (error) {
    const truncated = /unexpected end|unterminated/i.test(String(error));
    say('DEPLOYMENTS_UNREADABLE', truncated ? `deployments.json ends in the middle, after ${text.length} characters` : `deployments.json is not JSON: ${quoted(error instanceof Error ? error.message : String(error))}`);
    return undefined;
  }
}

function readDeployed(group: string, entry: unknown, say: (code: string, message: string, hint?: string) => void): Deployed | undefined {
  const at = `deploy group ${quoted(group)}`;
  const members = membersOf(entry);
  if (members === undefined) {
    say('BAD_DEPLOYMENTS', `${at}: the entry is not a mapping`);
    return undefined;
  }
  const [image, sha, imageVersion] = [members.get('docker_image'), members.get('git_sha'), members.get('image_version') ?? null];
  const missing = [...(typeof image === 'string' && image !== '' ? [] : ['docker_image']), ...(typeof sha === 'string' && sha !== '' ? [] : ['git_sha'])];
  if (missing.length > 0 || typeof sha !== 'string' || typeof image !== 'string') {
    say('BAD_DEPLOYMENTS', `${at}: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing or not text`);
    return undefined;
  }
  if (!isCommit(sha)) {
    say('BAD_DEPLOYMENTS', `${at}: git_sha ${quoted(sha)} is not a full commit id (40 lower-case hexadecimal digits)`);
    return undefined;
  }
  if (imageVersion !== null && typeof imageVersion !== 'string') {
    say('BAD_DEPLOYMENTS', `${at}: image_version is neither text nor null`);
    return undefined;
  }
  return { sha, imageVersion: imageVersion === '' ? null : imageVersion, dockerImage: image };
}

function readControl(key: string, entry: unknown, say: (code: string, message: string, hint?: string) => void): Control | undefined {
  const members = membersOf(entry);
  const [state, token] = [members?.get('desired_state') ?? 'start', members?.get('force_bounce') ?? null];
  if (members === undefined || (state !== 'start' && state !== 'stop')) {
    say('BAD_DEPLOYMENTS', `control ${quoted(key)}: ${members === undefined ? 'the entry is not a mapping' : `desired_state ${quoted(typeof state === 'string' ? state : JSON.stringify(state))} is neither 'start' nor 'stop'`}`);
    return undefined;
  }
  if (token !== null && typeof token !== 'string') {
    say('BAD_DEPLOYMENTS', `control ${quoted(key)}: force_bounce is neither text nor null`);
    return undefined;
  }
  return { desiredState: state, forceBounce: token };
}
