/** The repository itself, check runs, comments, pull requests, dispatches and workflows. */
import type { JsonObject } from './description.ts';
import { nodeId, notFound, Refusal, text, user } from './state.ts';
import type { Call, CheckRunRecord, CommentRecord, PullRecord, Route } from './state.ts';

const repositoryUrl = (call: Call): string => `${call.api}/repos/${call.repository.fullName}`;
const pageUrl = (call: Call): string => `${call.html}/${call.repository.fullName}`;

function repositoryJson(call: Call): JsonObject {
  const { repository } = call;
  return {
    id: repository.id,
    node_id: nodeId('Repository', repository.id),
    name: repository.name,
    full_name: repository.fullName,
    owner: user(repository.owner, 1),
    private: repository.isPrivate,
    html_url: pageUrl(call),
    url: repositoryUrl(call),
    clone_url: `${pageUrl(call)}.git`,
    default_branch: 'main',
    visibility: repository.isPrivate ? 'private' : 'public',
  };
}

function checkJson(call: Call, run: CheckRunRecord): JsonObject {
  const url = `${repositoryUrl(call)}/check-runs/${String(run.id)}`;
  return {
    id: run.id,
    node_id: nodeId('CheckRun', run.id),
    head_sha: run.sha,
    external_id: run.externalId,
    url,
    html_url: `${pageUrl(call)}/runs/${String(run.id)}`,
    details_url: run.detailsUrl ?? pageUrl(call),
    status: run.status,
    conclusion: run.conclusion,
    started_at: run.startedAt,
    completed_at: run.completedAt,
    name: run.name,
    output: {
      title: run.title,
      summary: run.summary,
      text: run.text,
      annotations_count: run.annotations.length,
      annotations_url: `${url}/annotations`,
    },
    check_suite: { id: run.id + 1 },
    app: null,
    pull_requests: [],
  };
}

/** Fields of a create or update request; at most 50 annotations each, appended to those that the run has. */
function applyCheck(call: Call, run: CheckRunRecord): void {
  const { body } = call;
  run.name = text(body, 'name') ?? run.name;
  run.detailsUrl = text(body, 'details_url') ?? run.detailsUrl;
  run.externalId = text(body, 'external_id') ?? run.externalId;
  run.status = text(body, 'status') ?? run.status;
  const conclusion = text(body, 'conclusion');
  if (conclusion !== undefined) {
    run.conclusion = conclusion;
    run.status = 'completed';
    run.completedAt = text(body, 'completed_at') ?? call.now();
  }
  const output = body['output'];
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return;
  const annotations = (output['annotations'] ?? []) as JsonObject[];
  if (annotations.length > 50) throw new Refusal(422, 'Invalid request.\n\nNo more than 50 items are allowed; 51 were supplied.');
  if ((text(output, 'summary') ?? '').length > 65535)
    throw new Refusal(422, 'Invalid request.\n\nOnly 65535 characters are allowed for "summary".');
  run.title = text(output, 'title') ?? run.title;
  run.summary = text(output, 'summary') ?? run.summary;
  run.text = text(output, 'text') ?? run.text;
  run.annotations.push(...annotations);
}

function findCheck(call: Call): CheckRunRecord {
  const run = call.repository.checkRuns.find((entry) => String(entry.id) === call.operation.parameters['check_run_id']);
  if (run === undefined) throw notFound();
  return run;
}

function commentJson(call: Call, comment: CommentRecord): JsonObject {
  return {
    id: comment.id,
    node_id: nodeId('IssueComment', comment.id),
    url: `${repositoryUrl(call)}/issues/comments/${String(comment.id)}`,
    html_url: `${pageUrl(call)}/pull/${String(comment.issue)}#issuecomment-${String(comment.id)}`,
    body: comment.body,
    user: user(comment.author),
    created_at: comment.at,
    updated_at: comment.updatedAt,
    issue_url: `${repositoryUrl(call)}/issues/${String(comment.issue)}`,
    author_association: comment.association,
  };
}

function findComment(call: Call): CommentRecord {
  const comment = call.repository.comments.find((entry) => String(entry.id) === call.operation.parameters['comment_id']);
  if (comment === undefined) throw notFound();
  return comment;
}

async function pullJson(call: Call, pull: PullRecord): Promise<JsonObject> {
  const git = call.repository.git;
  const side = (ref: string, sha: string, full: string): JsonObject => ({
    label: `${full.split('/')[0] ?? ''}:${ref}`,
    ref,
    sha,
    user: user(full.split('/')[0] ?? '', 1),
    repo: { ...repositoryJson(call), full_name: full, fork: full !== call.repository.fullName },
  });
  const head = (await git.resolve(pull.head)) ?? '0'.repeat(40);
  const base = (await git.resolve(pull.base)) ?? '0'.repeat(40);
  return {
    id: pull.id,
    node_id: nodeId('PullRequest', pull.id),
    number: pull.number,
    url: `${repositoryUrl(call)}/pulls/${String(pull.number)}`,
    html_url: `${pageUrl(call)}/pull/${String(pull.number)}`,
    state: pull.state,
    title: pull.title,
    body: pull.body,
    user: user(pull.author),
    created_at: pull.at,
    updated_at: pull.at,
    head: side(pull.head, head, pull.headRepository),
    base: side(pull.base, base, call.repository.fullName),
    draft: false,
  };
}

function findPull(call: Call): PullRecord {
  const pull = call.repository.pulls.find((entry) => String(entry.number) === call.operation.parameters['pull_number']);
  if (pull === undefined) throw notFound();
  return pull;
}

async function workflows(call: Call): Promise<JsonObject[]> {
  const { git } = call.repository;
  const main = await git.resolve('main');
  if (main === undefined) return [];
  const found = await git.git(['ls-tree', '--name-only', `${main}:.github/workflows`]);
  return found.stdout
    .split('\n')
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name, index) => {
      const path = `.github/workflows/${name}`;
      return {
        id: call.repository.id * 1000 + index + 1,
        node_id: nodeId('Workflow', path),
        name,
        path,
        state: 'active',
        created_at: call.now(),
        updated_at: call.now(),
        url: `${repositoryUrl(call)}/actions/workflows/${name}`,
        html_url: `${pageUrl(call)}/blob/main/${path}`,
        badge_url: `${pageUrl(call)}/workflows/${name}/badge.svg`,
      };
    });
}

async function findWorkflow(call: Call): Promise<JsonObject> {
  const wanted = call.operation.parameters['workflow_id'] ?? '';
  const found = (await workflows(call)).find((entry) => String(entry['id']) === wanted || entry['name'] === wanted);
  if (found === undefined) throw notFound();
  return found;
}

export const talkRoutes: Readonly<Record<string, Route>> = {
  'repos/get': (call) => ({ status: 200, body: repositoryJson(call) }),
  'repos/get-collaborator-permission-level': (call) => {
    const login = call.operation.parameters['username'] ?? '';
    const level = call.repository.collaborators.get(login) ?? 'none';
    return { status: 200, body: { permission: level, role_name: level, user: user(login, 7) } };
  },
  'checks/create': async (call) => {
    const sha = text(call.body, 'head_sha') ?? '';
    if ((await call.repository.git.objectType(sha)) !== 'commit') throw new Refusal(422, `No commit found for SHA: ${sha}`);
    const run: CheckRunRecord = {
      id: call.nextId(),
      sha,
      name: '',
      status: 'queued',
      conclusion: null,
      title: null,
      summary: null,
      text: null,
      detailsUrl: null,
      externalId: '',
      annotations: [],
      startedAt: call.now(),
      completedAt: null,
    };
    applyCheck(call, run);
    call.repository.checkRuns.unshift(run);
    return { status: 201, body: checkJson(call, run) };
  },
  'checks/update': (call) => {
    const run = findCheck(call);
    applyCheck(call, run);
    return { status: 200, body: checkJson(call, run) };
  },
  'checks/get': (call) => ({ status: 200, body: checkJson(call, findCheck(call)) }),
  'checks/list-annotations': (call) => ({
    status: 200,
    list: findCheck(call).annotations.map((annotation) => ({
      start_column: null,
      end_column: null,
      title: null,
      raw_details: null,
      blob_href: pageUrl(call),
      ...annotation,
    })),
  }),
  'checks/list-for-ref': async (call) => {
    const sha = await call.repository.git.resolve(call.operation.parameters['ref'] ?? '');
    const name = call.query.get('check_name');
    const runs = call.repository.checkRuns.filter((run) => run.sha === sha && (name === null || run.name === name));
    return {
      status: 200,
      list: runs.map((run) => checkJson(call, run)),
      envelope: (page, total) => ({ total_count: total, check_runs: page }),
    };
  },
  'issues/list-comments': (call) => ({
    status: 200,
    list: call.repository.comments
      .filter((comment) => String(comment.issue) === call.operation.parameters['issue_number'])
      .map((comment) => commentJson(call, comment)),
  }),
  'issues/create-comment': (call) => {
    const body = text(call.body, 'body') ?? '';
    if (body.length > 65536)
      throw new Refusal(422, 'Validation Failed', {
        errors: [
          { resource: 'IssueComment', field: 'body', code: 'unprocessable', message: 'Body is too long (maximum is 65536 characters)' },
        ],
      });
    const at = call.now();
    const comment: CommentRecord = {
      id: call.nextId(),
      issue: Number(call.operation.parameters['issue_number']),
      body,
      author: call.token?.login ?? '',
      association: 'MEMBER',
      at,
      updatedAt: at,
      reactions: [],
    };
    call.repository.comments.push(comment);
    return { status: 201, body: commentJson(call, comment) };
  },
  'issues/get-comment': (call) => ({ status: 200, body: commentJson(call, findComment(call)) }),
  'issues/update-comment': (call) => {
    const comment = findComment(call);
    comment.body = text(call.body, 'body') ?? '';
    comment.updatedAt = call.now();
    return { status: 200, body: commentJson(call, comment) };
  },
  'issues/delete-comment': (call) => {
    const comment = findComment(call);
    call.repository.comments.splice(call.repository.comments.indexOf(comment), 1);
    return { status: 204 };
  },
  'reactions/create-for-issue-comment': (call) => {
    const comment = findComment(call);
    const content = text(call.body, 'content') ?? '';
    const login = call.token?.login ?? '';
    const known = comment.reactions.find((entry) => entry.user === login && entry.content === content);
    const reaction = known ?? { id: call.nextId(), user: login, content, at: call.now() };
    if (known === undefined) comment.reactions.push(reaction);
    return {
      status: known === undefined ? 201 : 200,
      body: { id: reaction.id, node_id: nodeId('Reaction', reaction.id), user: user(login), content, created_at: reaction.at },
    };
  },
  'reactions/list-for-issue-comment': (call) => ({
    status: 200,
    list: findComment(call).reactions.map((entry) => ({
      id: entry.id,
      node_id: nodeId('Reaction', entry.id),
      user: user(entry.user),
      content: entry.content,
      created_at: entry.at,
    })),
  }),
  'pulls/list': async (call) => {
    const state = call.query.get('state') ?? 'open';
    return {
      status: 200,
      list: await Promise.all(
        call.repository.pulls.filter((pull) => state === 'all' || pull.state === state).map((pull) => pullJson(call, pull)),
      ),
    };
  },
  'pulls/get': async (call) => ({ status: 200, body: await pullJson(call, findPull(call)) }),
  'pulls/create': async (call) => {
    const number = call.repository.pulls.length + 1;
    const head = text(call.body, 'head') ?? '';
    if ((await call.repository.git.resolve(head)) === undefined)
      throw new Refusal(422, 'Validation Failed', { errors: [{ resource: 'PullRequest', field: 'head', code: 'invalid' }] });
    const pull: PullRecord = {
      number,
      id: call.nextId(),
      title: text(call.body, 'title') ?? '',
      body: text(call.body, 'body') ?? null,
      state: 'open',
      head,
      base: text(call.body, 'base') ?? 'main',
      headRepository: call.repository.fullName,
      author: call.token?.login ?? '',
      at: call.now(),
      merged: false,
    };
    call.repository.pulls.unshift(pull);
    return { status: 201, body: await pullJson(call, pull) };
  },
  'pulls/list-files': async (call) => {
    const pull = findPull(call);
    const { git } = call.repository;
    const lines = (await git.git(['diff', '--name-status', `${pull.base}...${pull.head}`])).stdout
      .split('\n')
      .filter((line) => line !== '');
    return {
      status: 200,
      list: await Promise.all(
        lines.map(async (line) => {
          const [letter = '', filename = ''] = line.split('\t');
          const blob = await git.git(['rev-parse', '-q', '--verify', `${pull.head}:${filename}`]);
          const status = letter === 'A' ? 'added' : letter === 'D' ? 'removed' : 'modified';
          const url = `${repositoryUrl(call)}/contents/${filename}`;
          return {
            sha: blob.code === 0 ? blob.stdout.trim() : null,
            filename,
            status,
            additions: 0,
            deletions: 0,
            changes: 0,
            blob_url: url,
            raw_url: url,
            contents_url: url,
          };
        }),
      ),
    };
  },
  'repos/create-dispatch-event': (call) => {
    call.repository.dispatches.push({
      kind: 'repository',
      event: text(call.body, 'event_type') ?? '',
      payload: call.body['client_payload'] ?? {},
      by: call.token?.login ?? '',
      at: call.now(),
    });
    return { status: 204 };
  },
  'actions/list-repo-workflows': async (call) => ({
    status: 200,
    list: await workflows(call),
    envelope: (page, total) => ({ total_count: total, workflows: page }),
  }),
  'actions/get-workflow': async (call) => ({ status: 200, body: await findWorkflow(call) }),
  'actions/create-workflow-dispatch': async (call) => {
    const workflow = await findWorkflow(call);
    const ref = text(call.body, 'ref') ?? '';
    if ((await call.repository.git.resolve(ref.replace(/^refs\/(heads|tags)\//, ''))) === undefined)
      throw new Refusal(422, `No ref found for: ${ref}`);
    const id = call.nextId();
    call.repository.dispatches.push({
      kind: 'workflow',
      workflow: String(workflow['name']),
      ref,
      payload: call.body['inputs'] ?? {},
      by: call.token?.login ?? '',
      at: call.now(),
    });
    if (call.body['return_run_details'] !== true) return { status: 204 };
    return {
      status: 200,
      body: {
        workflow_run_id: id,
        run_url: `${repositoryUrl(call)}/actions/runs/${String(id)}`,
        html_url: `${pageUrl(call)}/actions/runs/${String(id)}`,
      },
    };
  },
};
