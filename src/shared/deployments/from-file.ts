/** Deployments of one service from `deployments.json` (version 2), PaaSTA's file between marking and deploying. */
import { isCommit } from '../contract/commit.ts';
import { problem, type Problem } from '../contract/errors.ts';
import { quoted } from '../contract/validity.ts';
import { isMap, type Value } from '../contract/values.ts';
import { readJson, type JsonDocument } from '../soa-configs/json.ts';
import { typeName } from '../soa-configs/type-name.ts';
import { keysOf } from '../soa-configs/yaml-values.ts';
import type { Control, Deployed, Deployments } from './types.ts';

/** Says what is wrong at a path of the file. */
type Say = (path: readonly string[], code: string, message: string) => void;

/** The members of a mapping, by key; keys such as `constructor` are keys like any other. */
function membersOf(value: Value | undefined): ReadonlyMap<string, Value> | undefined {
  return isMap(value) ? new Map(keysOf(value).map((key) => [key, value[key] as Value])) : undefined;
}

const GENERATE = 'write it anew with generate-deployments, or deploy from the refs of the repository';

/** Reads the file's text. Never throws: what cannot be used is a problem on its line, and the rest is still there. */
export function deploymentsFromFile(service: string, text: string, file: string): Deployments {
  const problems: Problem[] = [];
  const document = parse(text, file, problems);
  const say: Say = (path, code, message) =>
    void problems.push(problem(code, message, { ...(document?.position(path) ?? { file }), hint: GENERATE }));
  const versions = new Map<string, Deployed>();
  const controls = new Map<string, Control>();
  const whole = membersOf(document?.value);
  const v2 = membersOf(whole?.get('v2'));
  if (whole !== undefined && v2 === undefined) {
    const found = [...whole.keys()];
    if (found.includes('v1') && !found.includes('v2'))
      say([], 'DEPLOYMENTS_WITHOUT_V2', "deployments.json has only 'v1', which says neither commit nor deploy group");
    else
      say(
        ['v2'],
        'DEPLOYMENTS_WITHOUT_V2',
        `deployments.json has no 'v2' mapping (found: ${found.slice(0, 5).map(quoted).join(', ') || 'nothing'})`,
      );
  }
  for (const part of ['deployments', 'controls']) {
    if (v2?.has(part) === true && membersOf(v2.get(part)) === undefined)
      say(['v2', part], 'BAD_DEPLOYMENTS', `'v2.${part}' is not a mapping`);
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

function parse(text: string, file: string, problems: Problem[]): JsonDocument | undefined {
  const unreadable = (found: Pick<Problem, 'line' | 'column'>, message: string): undefined => {
    const { line = 1, column = 1 } = found;
    problems.push(problem('DEPLOYMENTS_UNREADABLE', message, { file, line, column, hint: GENERATE }));
    return undefined;
  };
  if (text.trim() === '') return unreadable({}, 'deployments.json is empty');
  const { document, problem: broken } = readJson(text, file);
  if (document === undefined)
    return unreadable(
      broken,
      `deployments.json ${broken.message.endsWith('never closed') ? 'ends in the middle' : 'is not JSON'}: ${broken.message}`,
    );
  return isMap(document.value) ? document : unreadable({}, 'deployments.json is not a JSON object');
}

function readDeployed(group: string, entry: Value, say: Say): Deployed | undefined {
  const at = `deploy group ${quoted(group)}`;
  const path = ['v2', 'deployments', group];
  const members = membersOf(entry);
  if (members === undefined) {
    say(path, 'BAD_DEPLOYMENTS', `${at}: the entry is not a mapping`);
    return undefined;
  }
  const [image, sha, imageVersion] = [members.get('docker_image'), members.get('git_sha'), members.get('image_version') ?? null];
  const missing = [
    ...(typeof image === 'string' && image !== '' ? [] : ['docker_image']),
    ...(typeof sha === 'string' && sha !== '' ? [] : ['git_sha']),
  ];
  if (missing.length > 0 || typeof sha !== 'string' || typeof image !== 'string') {
    say(
      [...path, missing[0] ?? ''],
      'BAD_DEPLOYMENTS',
      `${at}: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing or not text`,
    );
    return undefined;
  }
  if (!isCommit(sha)) {
    say(
      [...path, 'git_sha'],
      'BAD_DEPLOYMENTS',
      `${at}: git_sha ${quoted(sha)} is not a full commit id (40 lower-case hexadecimal digits)`,
    );
    return undefined;
  }
  if (imageVersion !== null && typeof imageVersion !== 'string') {
    say([...path, 'image_version'], 'BAD_DEPLOYMENTS', `${at}: image_version is neither text nor null`);
    return undefined;
  }
  return { sha, imageVersion: imageVersion === '' ? null : imageVersion, dockerImage: image };
}

function readControl(key: string, entry: Value, say: Say): Control | undefined {
  const members = membersOf(entry);
  const path = ['v2', 'controls', key];
  const [state, token] = [members?.get('desired_state') ?? 'start', members?.get('force_bounce') ?? null];
  if (members === undefined || (state !== 'start' && state !== 'stop')) {
    say(
      members === undefined ? path : [...path, 'desired_state'],
      'BAD_DEPLOYMENTS',
      `control ${quoted(key)}: ${members === undefined ? 'the entry is not a mapping' : `desired_state ${quoted(typeof state === 'string' ? state : typeName(state))} is neither 'start' nor 'stop'`}`,
    );
    return undefined;
  }
  if (token !== null && typeof token !== 'string') {
    say([...path, 'force_bounce'], 'BAD_DEPLOYMENTS', `control ${quoted(key)}: force_bounce is neither text nor null`);
    return undefined;
  }
  return { desiredState: state, forceBounce: token };
}
