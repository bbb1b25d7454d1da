/** Deployments, their statuses, and environments: in memory, with GitHub's rules. */
import type { Json, JsonObject } from './description.ts';
import { nodeId, notFound, Refusal, text, user } from './state.ts';
import type { Call, DeploymentRecord, DeploymentStatusRecord, EnvironmentRecord, Route } from './state.ts';

const repositoryUrl = (call: Call): string => `${call.api}/repos/${call.repository.fullName}`;

function deploymentJson(call: Call, record: DeploymentRecord): JsonObject {
  const url = `${repositoryUrl(call)}/deployments/${String(record.id)}`;
  return {
    id: record.id,
    node_id: nodeId('Deployment', record.id),
    url,
    sha: record.sha,
    ref: record.ref,
    task: record.task,
    payload: record.payload,
    original_environment: record.environment,
    environment: record.environment,
    description: record.description,
    creator: user(record.creator),
    created_at: record.at,
    updated_at: record.statuses[0]?.at ?? record.at,
    statuses_url: `${url}/statuses`,
    repository_url: repositoryUrl(call),
    transient_environment: record.transient,
    production_environment: record.production,
  };
}

function statusJson(call: Call, deployment: DeploymentRecord, record: DeploymentStatusRecord): JsonObject {
  const url = `${repositoryUrl(call)}/deployments/${String(deployment.id)}`;
  const log = record.logUrl;
  return {
    id: record.id,
    node_id: nodeId('DeploymentStatus', record.id),
    url: `${url}/statuses/${String(record.id)}`,
    state: record.state,
    description: record.description,
    creator: user(record.creator),
    environment: record.environment,
    target_url: log,
    created_at: record.at,
    updated_at: record.at,
    deployment_url: url,
    repository_url: repositoryUrl(call),
    environment_url: record.environmentUrl,
    log_url: log,
  };
}

function find(call: Call): DeploymentRecord {
  const record = call.repository.deployments.find((entry) => String(entry.id) === call.operation.parameters['deployment_id']);
  if (record === undefined) throw notFound();
  return record;
}

const list: Route = (call) => {
  const matches = (['sha', 'ref', 'task', 'environment'] as const).every.bind(['sha', 'ref', 'task', 'environment'] as const);
  const found = call.repository.deployments.filter((record) =>
    matches((key) => {
      const wanted = call.query.get(key);
      return wanted === null || wanted === 'none' || record[key] === wanted;
    }),
  );
  return { status: 200, list: found.map((record) => deploymentJson(call, record)) };
};

const create: Route = async (call) => {
  const { body, repository } = call;
  const ref = text(body, 'ref') ?? '';
  const sha = await repository.git.resolve(ref.replace(/^refs\/(heads|tags)\//, ''));
  if (sha === undefined) throw new Refusal(422, `No ref found for: ${ref}`);
  if (body['auto_merge'] !== false) {
    const main = await repository.git.resolve('main');
    const current = main === undefined || (await repository.git.git(['merge-base', '--is-ancestor', main, sha])).code === 0;
    if (!current && sha !== ref) return { status: 202, body: { message: `Auto-merged main into ${ref} on deployment.` } };
    if (!current) throw new Refusal(409, `Conflict merging main into ${ref}`);
  }
  const required = body['required_contexts'];
  if (!Array.isArray(required) || required.length > 0) {
    const newest = new Map<string, string>();
    for (const status of repository.statuses)
      if (status.sha === sha && !newest.has(status.context)) newest.set(status.context, status.state);
    const wanted = Array.isArray(required) ? required.map(String) : [...newest.keys()];
    if (wanted.some((context) => newest.get(context) !== 'success'))
      throw new Refusal(409, `Conflict: Commit status checks failed for ${ref}.`);
  }
  const environment = text(body, 'environment') ?? 'production';
  const payload = body['payload'] ?? '';
  const record: DeploymentRecord = {
    id: call.nextId(),
    sha,
    ref,
    task: text(body, 'task') ?? 'deploy',
    environment,
    payload: payload as Json,
    description: text(body, 'description') ?? null,
    creator: call.token?.login ?? '',
    transient: body['transient_environment'] === true,
    production: body['production_environment'] === true || (body['production_environment'] === undefined && environment === 'production'),
    at: call.now(),
    statuses: [],
  };
  repository.deployments.unshift(record);
  if (!repository.environments.has(environment)) repository.environments.set(environment, freshEnvironment(call, environment));
  return { status: 201, body: deploymentJson(call, record) };
};

const createStatus: Route = (call) => {
  const deployment = find(call);
  const { body, repository } = call;
  const description = text(body, 'description') ?? '';
  if (description.length > 140)
    throw new Refusal(422, 'Validation Failed', {
      errors: [
        {
          resource: 'DeploymentStatus',
          field: 'description',
          code: 'custom',
          message: 'description is too long (maximum is 140 characters)',
        },
      ],
    });
  const state = text(body, 'state') ?? '';
  const status = (of: DeploymentRecord, as: string, say: string): DeploymentStatusRecord => ({
    id: call.nextId(),
    state: as,
    description: say,
    environment: text(body, 'environment') ?? of.environment,
    logUrl: text(body, 'log_url') ?? text(body, 'target_url') ?? '',
    environmentUrl: text(body, 'environment_url') ?? '',
    creator: call.token?.login ?? '',
    at: call.now(),
  });
  const made = status(deployment, state, description);
  deployment.statuses.unshift(made);
  if (state === 'success' && body['auto_inactive'] !== false) {
    // GitHub retires what was live before in the same environment, unless it is transient or production.
    for (const other of repository.deployments) {
      if (other.id === deployment.id || other.environment !== deployment.environment || other.transient || other.production) continue;
      if (other.statuses[0]?.state === 'success') other.statuses.unshift(status(other, 'inactive', ''));
    }
  }
  return { status: 201, body: statusJson(call, deployment, made) };
};

function freshEnvironment(call: Call, name: string): EnvironmentRecord {
  const at = call.now();
  return { id: call.nextId(), name, waitTimer: 0, reviewers: [], preventSelfReview: false, branchPolicy: null, at, updatedAt: at };
}

function environmentJson(call: Call, record: EnvironmentRecord): JsonObject {
  const rules: JsonObject[] = [];
  if (record.waitTimer > 0)
    rules.push({ id: record.id * 10 + 1, node_id: nodeId('GateWait', record.id), type: 'wait_timer', wait_timer: record.waitTimer });
  if (record.reviewers.length > 0) {
    const reviewers = record.reviewers.map((reviewer) => ({
      type: reviewer['type'] ?? 'User',
      reviewer: user(`reviewer-${String(reviewer['id'])}`, Number(reviewer['id'])),
    }));
    rules.push({
      id: record.id * 10 + 2,
      node_id: nodeId('GateReview', record.id),
      type: 'required_reviewers',
      prevent_self_review: record.preventSelfReview,
      reviewers,
    });
  }
  if (record.branchPolicy !== null) rules.push({ id: record.id * 10 + 3, node_id: nodeId('GateBranch', record.id), type: 'branch_policy' });
  const encoded = encodeURIComponent(record.name);
  return {
    id: record.id,
    node_id: nodeId('Environment', record.id),
    name: record.name,
    url: `${repositoryUrl(call)}/environments/${encoded}`,
    html_url: `${call.html}/${call.repository.fullName}/deployments/activity_log?environments_filter=${encoded}`,
    created_at: record.at,
    updated_at: record.updatedAt,
    protection_rules: rules,
    deployment_branch_policy: record.branchPolicy,
  };
}

const putEnvironment: Route = (call) => {
  const name = call.operation.parameters['environment_name'] ?? '';
  const record = call.repository.environments.get(name) ?? freshEnvironment(call, name);
  const { body } = call;
  if (typeof body['wait_timer'] === 'number') record.waitTimer = body['wait_timer'];
  if (body['reviewers'] !== undefined) record.reviewers = (body['reviewers'] ?? []) as JsonObject[];
  if (typeof body['prevent_self_review'] === 'boolean') record.preventSelfReview = body['prevent_self_review'];
  if (body['deployment_branch_policy'] !== undefined) record.branchPolicy = body['deployment_branch_policy'] as JsonObject | null;
  record.updatedAt = call.now();
  call.repository.environments.set(name, record);
  return { status: 200, body: environmentJson(call, record) };
};

export const deploymentRoutes: Readonly<Record<string, Route>> = {
  'repos/list-deployments': list,
  'repos/create-deployment': create,
  'repos/get-deployment': (call) => ({ status: 200, body: deploymentJson(call, find(call)) }),
  'repos/delete-deployment': (call) => {
    const record = find(call);
    if (record.statuses[0]?.state === 'success')
      throw new Refusal(422, 'We cannot delete an active deployment unless it is the only deployment in a given environment.');
    call.repository.deployments.splice(call.repository.deployments.indexOf(record), 1);
    return { status: 204 };
  },
  'repos/create-deployment-status': createStatus,
  'repos/list-deployment-statuses': (call) => {
    const record = find(call);
    return { status: 200, list: record.statuses.map((status) => statusJson(call, record, status)) };
  },
  'repos/get-deployment-status': (call) => {
    const record = find(call);
    const status = record.statuses.find((entry) => String(entry.id) === call.operation.parameters['status_id']);
    if (status === undefined) throw notFound();
    return { status: 200, body: statusJson(call, record, status) };
  },
  'repos/get-all-environments': (call) => ({
    status: 200,
    list: [...call.repository.environments.values()].map((record) => environmentJson(call, record)),
    envelope: (page, total) => ({ total_count: total, environments: page }),
  }),
  'repos/get-environment': (call) => {
    const record = call.repository.environments.get(call.operation.parameters['environment_name'] ?? '');
    if (record === undefined) throw notFound();
    return { status: 200, body: environmentJson(call, record) };
  },
  'repos/create-or-update-environment': putEnvironment,
  'repos/delete-an-environment': (call) => {
    call.repository.environments.delete(call.operation.parameters['environment_name'] ?? '');
    return { status: 204 };
  },
};
