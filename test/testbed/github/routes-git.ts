/** Refs, tags, commits, contents and comparisons: answered by the bare repository itself. */
import { zeroSha } from './bare.ts';
import type { CommitText } from './bare.ts';
import type { Json, JsonObject } from './description.ts';
import { allows } from './access.ts';
import { invalid, nodeId, notFound, Refusal, text, user } from './state.ts';
import type { Answer, Call, Route } from './state.ts';

const repositoryUrl = (call: Call): string => `${call.api}/repos/${call.repository.fullName}`;

function refJson(call: Call, ref: string, sha: string, type: string): JsonObject {
  return {
    ref,
    node_id: nodeId('Ref', ref),
    url: `${repositoryUrl(call)}/git/${ref}`,
    object: { sha, type, url: `${repositoryUrl(call)}/git/${type}s/${sha}` },
  };
}

function gitCommitJson(call: Call, commit: CommitText): JsonObject {
  const url = repositoryUrl(call);
  return {
    sha: commit.sha,
    node_id: nodeId('Commit', commit.sha),
    url: `${url}/git/commits/${commit.sha}`,
    html_url: `${call.html}/${call.repository.fullName}/commit/${commit.sha}`,
    author: { ...commit.author },
    committer: { ...commit.committer },
    message: commit.message,
    tree: { sha: commit.tree, url: `${url}/git/trees/${commit.tree}` },
    parents: commit.parents.map((sha) => ({
      sha,
      url: `${url}/git/commits/${sha}`,
      html_url: `${call.html}/${call.repository.fullName}/commit/${sha}`,
    })),
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null },
  };
}

async function commitJson(call: Call, sha: string): Promise<JsonObject> {
  const commit = await call.repository.git.commitText(sha);
  const url = repositoryUrl(call);
  return {
    sha,
    node_id: nodeId('Commit', sha),
    url: `${url}/commits/${sha}`,
    html_url: `${call.html}/${call.repository.fullName}/commit/${sha}`,
    comments_url: `${url}/commits/${sha}/comments`,
    commit: {
      author: { ...commit.author },
      committer: { ...commit.committer },
      message: commit.message,
      comment_count: 0,
      tree: { sha: commit.tree, url: `${url}/git/trees/${commit.tree}` },
      url: `${url}/git/commits/${sha}`,
    },
    author: null,
    committer: null,
    parents: commit.parents.map((parent) => ({ sha: parent, url: `${url}/commits/${parent}` })),
  };
}

/** Visible refs under a prefix; a planted `hidden-ref` keeps new ones back for some reads. */
async function visibleRefs(call: Call, prefix: string): Promise<{ ref: string; sha: string; type: string }[]> {
  const all = await call.repository.git.refs(prefix);
  const { hidden } = call.repository;
  const seen = all.filter((entry) => !hidden.has(entry.ref));
  for (const [ref, left] of hidden) {
    if (left <= 1) hidden.delete(ref);
    else hidden.set(ref, left - 1);
  }
  return seen;
}

const getRef: Route = async (call) => {
  const wanted = `refs/${call.operation.parameters['ref'] ?? ''}`;
  const found = (await visibleRefs(call, wanted)).find((entry) => entry.ref === wanted);
  if (found === undefined) throw notFound();
  return { status: 200, body: refJson(call, found.ref, found.sha, found.type) };
};

const matchingRefs: Route = async (call) => {
  const found = await visibleRefs(call, `refs/${call.operation.parameters['ref'] ?? ''}`);
  return { status: 200, body: found.map((entry) => refJson(call, entry.ref, entry.sha, entry.type)) };
};

function globToRegex(glob: string): RegExp {
  return new RegExp(`^${glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*')}$`);
}

const createRef: Route = async (call) => {
  const ref = text(call.body, 'ref') ?? '';
  const sha = text(call.body, 'sha') ?? '';
  const { git } = call.repository;
  if (!/^refs\/[^/]+\/./.test(ref)) throw new Refusal(422, `Reference name must start with 'refs/' and contain at least two slashes`);
  if ((await git.git(['check-ref-format', ref])).code !== 0) throw new Refusal(422, `${ref} is not a valid ref name.`);
  if (!/^[0-9a-f]{40}$/.test(sha)) throw new Refusal(422, 'The sha parameter must be exactly 40 characters and contain only [0-9a-f].');
  if ((await git.refs(ref)).some((entry) => entry.ref === ref)) throw new Refusal(422, 'Reference already exists');
  if ((await git.objectType(sha)) === undefined) throw new Refusal(422, 'Object does not exist');
  const { rules, token } = call;
  if (rules.protectedRefs !== null && globToRegex(rules.protectedRefs).test(ref)) {
    throw new Refusal(422, 'Repository rule violations found\n\nCannot create ref due to creations being restricted.\n\n');
  }
  if (rules.workflows && token !== undefined && !allows(token, 'workflows', 'write') && (await git.hasForeignWorkflows(sha))) {
    throw new Refusal(
      403,
      'Resource not accessible by integration',
      {},
      { 'x-accepted-github-permissions': 'contents=write,workflows=write' },
    );
  }
  if (!(await git.updateRef(ref, sha, zeroSha))) throw new Refusal(422, 'Reference already exists');
  return { status: 201, body: refJson(call, ref, sha, (await git.objectType(sha)) ?? 'commit') };
};

const updateRef: Route = async (call) => {
  const ref = `refs/${call.operation.parameters['ref'] ?? ''}`;
  const sha = text(call.body, 'sha') ?? '';
  const { git } = call.repository;
  const old = (await git.refs(ref)).find((entry) => entry.ref === ref);
  if (old === undefined) throw new Refusal(422, 'Reference does not exist');
  if ((await git.objectType(sha)) === undefined) throw new Refusal(422, 'Object does not exist');
  const forward = (await git.git(['merge-base', '--is-ancestor', old.sha, sha])).code === 0;
  if (call.body['force'] !== true && !forward) throw new Refusal(422, 'Update is not a fast forward');
  if (!(await git.updateRef(ref, sha, old.sha))) throw new Refusal(409, 'Reference cannot be updated');
  return { status: 200, body: refJson(call, ref, sha, 'commit') };
};

const deleteRef: Route = async (call) => {
  const ref = `refs/${call.operation.parameters['ref'] ?? ''}`;
  if (!(await call.repository.git.refs(ref)).some((entry) => entry.ref === ref)) throw new Refusal(422, 'Reference does not exist');
  await call.repository.git.must(['update-ref', '-d', ref]);
  return { status: 204 };
};

const createTag: Route = async (call) => {
  const object = text(call.body, 'object') ?? '';
  const type = text(call.body, 'type') ?? 'commit';
  const tag = text(call.body, 'tag') ?? '';
  const message = text(call.body, 'message') ?? '';
  if ((await call.repository.git.objectType(object)) === undefined) throw new Refusal(422, 'Object does not exist');
  const when = Math.floor(Date.now() / 1000);
  const sha = (
    await call.repository.git.must(
      ['mktag'],
      `object ${object}\ntype ${type}\ntag ${tag}\ntagger Testbed <testbed@example.com> ${String(when)} +0000\n\n${message}\n`,
    )
  ).trim();
  return { status: 201, body: tagJson(call, sha, tag, message, object, type, when) };
};

function tagJson(call: Call, sha: string, tag: string, message: string, object: string, type: string, when: number): JsonObject {
  const url = repositoryUrl(call);
  return {
    sha,
    tag,
    message,
    node_id: nodeId('Tag', sha),
    url: `${url}/git/tags/${sha}`,
    tagger: { name: 'Testbed', email: 'testbed@example.com', date: new Date(when * 1000).toISOString() },
    object: { sha: object, type, url: `${url}/git/${type}s/${object}` },
    verification: { verified: false, reason: 'unsigned', signature: null, payload: null, verified_at: null },
  };
}

const getTag: Route = async (call) => {
  const sha = call.operation.parameters['tag_sha'] ?? '';
  if ((await call.repository.git.objectType(sha)) !== 'tag') throw notFound();
  const content = await call.repository.git.must(['cat-file', 'tag', sha]);
  const field = (name: string): string => new RegExp(`^${name} (.*)$`, 'm').exec(content)?.[1] ?? '';
  const message = content.slice(content.indexOf('\n\n') + 2).trimEnd();
  return {
    status: 200,
    body: tagJson(
      call,
      sha,
      field('tag'),
      message,
      field('object'),
      field('type'),
      Number(/ (\d+) [+-]\d+$/.exec(field('tagger'))?.[1] ?? 0),
    ),
  };
};

const getGitCommit: Route = async (call) => {
  const sha = call.operation.parameters['commit_sha'] ?? '';
  if (!/^[0-9a-f]{40}$/.test(sha) || (await call.repository.git.objectType(sha)) !== 'commit') throw notFound();
  return { status: 200, body: gitCommitJson(call, await call.repository.git.commitText(sha)) };
};

const getCommit: Route = async (call) => {
  const ref = call.operation.parameters['ref'] ?? '';
  const sha = await call.repository.git.resolve(ref.replace(/^(heads|tags)\//, ''));
  if (sha === undefined) throw new Refusal(422, `No commit found for SHA: ${ref}`);
  return { status: 200, body: await commitJson(call, sha) };
};

const listCommits: Route = async (call) => {
  const start = await call.repository.git.resolve(call.query.get('sha') ?? 'main');
  if (start === undefined) throw notFound();
  const path = call.query.get('path');
  const lines = (await call.repository.git.must(['rev-list', start, ...(path === null ? [] : ['--', path])]))
    .split('\n')
    .filter((line) => line !== '');
  return { status: 200, list: await Promise.all(lines.slice(0, 300).map((sha) => commitJson(call, sha))) };
};

const compare: Route = async (call) => {
  const basehead = call.operation.parameters['basehead'] ?? '';
  const [baseName = '', headName = ''] = basehead.split('...');
  const { git, fullName } = call.repository;
  const [base, head] = [await git.resolve(baseName), await git.resolve(headName)];
  if (base === undefined || head === undefined) throw notFound();
  const mergeBase = await git.git(['merge-base', base, head]);
  if (mergeBase.code !== 0) throw new Refusal(404, `No common ancestor between ${baseName} and ${headName}.`);
  const [behind = 0, ahead = 0] = (await git.must(['rev-list', '--left-right', '--count', `${base}...${head}`]))
    .trim()
    .split(/\s+/)
    .map(Number);
  const status = ahead === 0 ? (behind === 0 ? 'identical' : 'behind') : behind === 0 ? 'ahead' : 'diverged';
  const shas = (await git.must(['rev-list', '--reverse', `${base}..${head}`])).split('\n').filter((line) => line !== '');
  const page = `${call.html}/${fullName}/compare/${basehead}`;
  return {
    status: 200,
    body: {
      url: `${repositoryUrl(call)}/compare/${basehead}`,
      html_url: page,
      permalink_url: page,
      diff_url: `${page}.diff`,
      patch_url: `${page}.patch`,
      base_commit: await commitJson(call, base),
      merge_base_commit: await commitJson(call, mergeBase.stdout.trim()),
      status,
      ahead_by: ahead,
      behind_by: behind,
      total_commits: shas.length,
      commits: await Promise.all(shas.slice(0, 250).map((sha) => commitJson(call, sha))),
      files: [],
    },
  };
};

function fileJson(call: Call, path: string, sha: string, size: number, kind: string): JsonObject {
  const url = `${repositoryUrl(call)}/contents/${path}`;
  const page = `${call.html}/${call.repository.fullName}/blob/main/${path}`;
  return {
    type: kind === 'tree' ? 'dir' : 'file',
    name: path.split('/').at(-1) ?? path,
    path,
    sha,
    size,
    url,
    html_url: page,
    git_url: `${repositoryUrl(call)}/git/${kind}s/${sha}`,
    download_url: kind === 'tree' ? null : page,
    _links: { self: url, git: url, html: page },
  };
}

const getContent: Route = async (call) => {
  const path = (call.operation.parameters['path'] ?? '').replace(/\/$/, '');
  const { git } = call.repository;
  const commit = await git.resolve(call.query.get('ref') ?? 'main');
  if (commit === undefined) throw new Refusal(404, `No commit found for the ref ${call.query.get('ref') ?? 'main'}`);
  const found = await git.git(['rev-parse', '-q', '--verify', `${commit}:${path}`]);
  if (found.code !== 0) throw notFound();
  const sha = found.stdout.trim();
  if ((await git.objectType(sha)) === 'tree') {
    const entries = (await git.must(['ls-tree', '-l', sha])).split('\n').filter((line) => line !== '');
    const list: Json[] = entries.map((line) => {
      const [, kind = '', id = '', size = '0', name = ''] = /^\S+ (\S+) (\S+)\s+(\S+)\t(.*)$/.exec(line) ?? [];
      return fileJson(call, path === '' ? name : `${path}/${name}`, id, Number(size) || 0, kind);
    });
    return { status: 200, body: list };
  }
  const content = await git.must(['cat-file', 'blob', sha]);
  return {
    status: 200,
    body: {
      ...fileJson(call, path, sha, Buffer.byteLength(content), 'blob'),
      encoding: 'base64',
      content: Buffer.from(content).toString('base64'),
    },
  };
};

const putContent: Route = async (call) => {
  const path = call.operation.parameters['path'] ?? '';
  const { git } = call.repository;
  const branch = text(call.body, 'branch') ?? 'main';
  const content = Buffer.from(text(call.body, 'content') ?? '', 'base64').toString();
  const before = await git.git(['rev-parse', '-q', '--verify', `refs/heads/${branch}:${path}`]);
  const old = before.code === 0 ? before.stdout.trim() : undefined;
  const given = text(call.body, 'sha');
  if (old !== undefined && given === undefined) throw new Refusal(422, `Invalid request.\n\n"sha" wasn't supplied.`);
  if (given !== undefined && given !== old) throw new Refusal(409, `${path} does not match ${given}`);
  const commit = await git.commit({ [path]: content }, text(call.body, 'message') ?? 'update', branch);
  const sha = (await git.must(['rev-parse', `${commit}:${path}`])).trim();
  return {
    status: old === undefined ? 201 : 200,
    body: {
      content: fileJson(call, path, sha, Buffer.byteLength(content), 'blob'),
      commit: gitCommitJson(call, await git.commitText(commit)),
    },
  };
};

const listBranches: Route = async (call) => ({
  status: 200,
  list: (await call.repository.git.refs('refs/heads/')).map((entry) => ({
    name: entry.ref.slice('refs/heads/'.length),
    commit: { sha: entry.sha, url: `${repositoryUrl(call)}/commits/${entry.sha}` },
    protected: false,
  })),
});

const getBranch: Route = async (call) => {
  const name = call.operation.parameters['branch'] ?? '';
  const found = (await call.repository.git.refs(`refs/heads/${name}`)).find((entry) => entry.ref === `refs/heads/${name}`);
  if (found === undefined) throw new Refusal(404, 'Branch not found');
  return { status: 200, body: { name, commit: await commitJson(call, found.sha), protected: false } };
};

const listTags: Route = async (call): Promise<Answer> => ({
  status: 200,
  list: (await call.repository.git.refs('refs/tags/'))
    .reverse()
    .map((entry) => ({
      name: entry.ref.slice('refs/tags/'.length),
      commit: { sha: entry.sha, url: `${repositoryUrl(call)}/commits/${entry.sha}` },
      zipball_url: `${repositoryUrl(call)}/zipball/${entry.ref}`,
      tarball_url: `${repositoryUrl(call)}/tarball/${entry.ref}`,
      node_id: nodeId('Ref', entry.ref),
    })),
});

const createStatus: Route = async (call) => {
  const sha = call.operation.parameters['sha'] ?? '';
  if ((await call.repository.git.objectType(sha)) !== 'commit') throw new Refusal(422, `No commit found for SHA: ${sha}`);
  const at = call.now();
  const record = {
    id: call.nextId(),
    sha,
    state: text(call.body, 'state') ?? '',
    context: text(call.body, 'context') ?? 'default',
    description: text(call.body, 'description') ?? null,
    targetUrl: text(call.body, 'target_url') ?? null,
    creator: call.token?.login ?? '',
    at,
  };
  if (record.description !== null && record.description.length > 140) throw invalid('Status', 'description', 'custom');
  call.repository.statuses.unshift(record);
  return { status: 201, body: statusJson(call, record) };
};

function statusJson(call: Call, record: Call['repository']['statuses'][number]): JsonObject {
  return {
    id: record.id,
    node_id: nodeId('Status', record.id),
    url: `${repositoryUrl(call)}/statuses/${record.sha}`,
    avatar_url: null,
    state: record.state,
    context: record.context,
    description: record.description,
    target_url: record.targetUrl,
    created_at: record.at,
    updated_at: record.at,
    creator: user(record.creator),
  };
}

const combinedStatus: Route = async (call) => {
  const sha = await call.repository.git.resolve(call.operation.parameters['ref'] ?? '');
  if (sha === undefined) throw notFound();
  const newest = new Map<string, Call['repository']['statuses'][number]>();
  for (const record of call.repository.statuses) if (record.sha === sha && !newest.has(record.context)) newest.set(record.context, record);
  const states = [...newest.values()].map((record) => record.state);
  const state = states.some((s) => s === 'failure' || s === 'error')
    ? 'failure'
    : states.length === 0 || states.includes('pending')
      ? 'pending'
      : 'success';
  return {
    status: 200,
    body: {
      sha,
      state,
      total_count: newest.size,
      commit_url: `${repositoryUrl(call)}/commits/${sha}`,
      url: `${repositoryUrl(call)}/commits/${sha}/status`,
      statuses: [...newest.values()].map((record) => {
        const json = statusJson(call, record);
        delete json['creator'];
        return json;
      }),
      repository: { name: call.repository.name, full_name: call.repository.fullName },
    },
  };
};

const listStatuses: Route = async (call) => {
  const sha = await call.repository.git.resolve(call.operation.parameters['ref'] ?? '');
  return { status: 200, list: call.repository.statuses.filter((record) => record.sha === sha).map((record) => statusJson(call, record)) };
};

export const gitRoutes: Readonly<Record<string, Route>> = {
  'git/get-ref': getRef,
  'git/list-matching-refs': matchingRefs,
  'git/create-ref': createRef,
  'git/update-ref': updateRef,
  'git/delete-ref': deleteRef,
  'git/create-tag': createTag,
  'git/get-tag': getTag,
  'git/get-commit': getGitCommit,
  'repos/get-commit': getCommit,
  'repos/list-commits': listCommits,
  'repos/compare-commits-with-basehead': compare,
  'repos/get-content': getContent,
  'repos/create-or-update-file-contents': putContent,
  'repos/list-branches': listBranches,
  'repos/get-branch': getBranch,
  'repos/list-tags': listTags,
  'repos/create-commit-status': createStatus,
  'repos/get-combined-status-for-ref': combinedStatus,
  'repos/list-commit-statuses-for-ref': listStatuses,
};
