/** The operations on one repository. */
import { serverCompareUrl } from './addresses.ts';
import type { Connection } from './client.ts';
import { isAmbiguous, statusOf, wordsOf } from './explain.ts';
import type {
  CheckAnnotation,
  Comment,
  Comparison,
  Deployment,
  GitHubRepository,
  NewCheckRun,
  NewDeployment,
  NewDeploymentStatus,
  Ref,
} from './types.ts';

/** Sent once by Octokit: whether to send again is decided here, where it is known how to look for what was done. */
const once = { request: { retries: 0 } } as const;
const attempts = 4;
const annotationsPerRequest = 50;

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/**
 * Creates something exactly once although answers may be lost: after an error that leaves open whether it was done, looks
 * for it before sending again.
 */
async function createOnce<T>(connection: Connection, create: () => Promise<T>, find: () => Promise<T | undefined>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await create();
    } catch (error) {
      if (!isAmbiguous(error) || attempt >= attempts) throw error;
      const pause = connection.backOff * attempt * attempt;
      connection.log.debug(`github: ${wordsOf(error)}; looking whether it was done, then again in ${String(pause)} ms`);
      await connection.pause(pause);
      const found = await find();
      if (found !== undefined) return found;
    }
  }
}

interface DeploymentAnswer {
  readonly id: number;
  readonly sha: string;
  readonly environment: string;
  readonly payload: unknown;
  readonly created_at: string;
  readonly url: string;
}

function deploymentOf(data: DeploymentAnswer): Deployment {
  let { payload } = data;
  // Some servers hand an object back as its JSON text.
  if (typeof payload === 'string' && payload.startsWith('{')) {
    try {
      payload = JSON.parse(payload) as unknown;
    } catch {
      /* then it is text */
    }
  }
  return { id: data.id, sha: data.sha, environment: data.environment, payload, createdAt: data.created_at, url: data.url };
}

function samePayload(a: unknown, b: NewDeployment['payload']): boolean {
  if (typeof a !== 'object' || a === null) return false;
  const other = a as Record<string, unknown>;
  return Object.entries(b).every(([key, value]) => other[key] === value);
}

function commentOf(data: {
  readonly id: number;
  readonly body?: string | undefined;
  readonly html_url: string;
  readonly user: { readonly login: string } | null;
}): Comment {
  return { id: data.id, body: data.body ?? '', author: data.user?.login ?? '', url: data.html_url };
}

function annotationOf(annotation: CheckAnnotation): {
  path: string;
  start_line: number;
  end_line: number;
  annotation_level: CheckAnnotation['level'];
  message: string;
  title?: string;
} {
  return {
    path: annotation.path,
    start_line: annotation.startLine,
    end_line: annotation.endLine ?? annotation.startLine,
    annotation_level: annotation.level,
    message: cut(annotation.message, 60_000),
    ...(annotation.title === undefined ? {} : { title: cut(annotation.title, 255) }),
  };
}

export function repositoryOf(connection: Connection, owner: string, name: string): GitHubRepository {
  const { octokit } = connection;
  const at = { owner, repo: name } as const;
  const call = <T>(what: string, body: () => Promise<T>): Promise<T> => connection.call(what, owner, name, body);
  /** `undefined` for one of the statuses, which here is an answer and not a failure. */
  const unless = async <T>(statuses: readonly number[], body: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      if (statuses.includes(statusOf(error) ?? 0)) return undefined;
      throw error;
    }
  };

  /** Annotated tags point at tag objects: the commit is one step (or more) further. */
  const commitBehind = async (sha: string): Promise<string> => {
    let tag = sha;
    for (let depth = 0; depth < 5; depth += 1) {
      const { data } = await octokit.rest.git.getTag({ ...at, tag_sha: tag });
      tag = data.object.sha;
      if (data.object.type !== 'tag') break;
    }
    return tag;
  };
  const readRef = async (ref: string): Promise<string | undefined> => {
    const found = await unless([404], () => octokit.rest.git.getRef({ ...at, ref: ref.replace(/^refs\//, '') }));
    if (found === undefined) return undefined;
    return found.data.object.type === 'tag' ? commitBehind(found.data.object.sha) : found.data.object.sha;
  };
  const newest = async (environment: string, sha: string | undefined, count: number): Promise<Deployment[]> => {
    const { data } = await octokit.rest.repos.listDeployments({
      ...at,
      environment,
      per_page: count,
      ...(sha === undefined ? {} : { sha }),
    });
    return data.map(deploymentOf);
  };
  const comparison = async (base: string, head: string): Promise<Comparison | undefined> => {
    const found = await unless([404, 422], () =>
      octokit.rest.repos.compareCommitsWithBasehead({ ...at, basehead: `${base}...${head}`, per_page: 1 }),
    );
    if (found === undefined) return undefined;
    const { data } = found;
    return { relation: data.status, aheadBy: data.ahead_by, behindBy: data.behind_by, url: data.html_url };
  };

  return {
    owner,
    name,
    listRefs: (prefix) =>
      call(`list the refs ${prefix}*`, async () => {
        const found = await octokit.paginate(octokit.rest.git.listMatchingRefs, { ...at, ref: prefix.replace(/^refs\//, '') });
        const refs: Ref[] = [];
        for (const { ref, object } of found)
          refs.push({ name: ref, sha: object.type === 'tag' ? await commitBehind(object.sha) : object.sha });
        return refs;
      }),
    createTag: (tag, sha) =>
      call(`create the tag ${tag}`, async () => {
        const ref = `refs/tags/${tag}`;
        let doubtful = false;
        const create = async (): Promise<'created' | 'exists'> => {
          try {
            await octokit.rest.git.createRef({ ...at, ref, sha, ...once });
            return 'created';
          } catch (error) {
            if (isAmbiguous(error)) doubtful = true;
            if (statusOf(error) !== 422 || !/already exists/i.test(wordsOf(error))) throw error;
            // Ours when an earlier request of this call, whose answer was lost, has made it.
            return doubtful && (await readRef(ref)) === sha ? 'created' : 'exists';
          }
        };
        return createOnce(connection, create, async () => ((await readRef(ref)) === sha ? ('created' as const) : undefined));
      }),
    refSha: (ref) => call(`read ${ref}`, () => readRef(ref)),
    commitExists: (sha) =>
      call(
        `find the commit ${sha}`,
        async () => (await unless([404, 422], () => octokit.rest.git.getCommit({ ...at, commit_sha: sha }))) !== undefined,
      ),
    expandCommit: (text) =>
      call(
        `find the commit ${text}`,
        async () => (await unless([404, 422], () => octokit.rest.repos.getCommit({ ...at, ref: text, per_page: 1 })))?.data.sha,
      ),
    compare: (base, head) => call(`compare ${base} with ${head}`, () => comparison(base, head)),
    relation: (base, head) => call(`compare ${base} with ${head}`, async () => (await comparison(base, head))?.relation ?? 'unknown'),
    compareUrl: (base, head) => serverCompareUrl(connection.serverUrl, owner, name, base, head),
    createDeployment: (deployment: NewDeployment) =>
      call(`create a deployment of ${deployment.sha} to ${deployment.environment}`, () =>
        createOnce(
          connection,
          async () => {
            const { data } = await octokit.rest.repos.createDeployment({
              ...at,
              ...once,
              ref: deployment.sha,
              environment: deployment.environment,
              auto_merge: false,
              required_contexts: [],
              payload: { ...deployment.payload },
              ...(deployment.description === undefined ? {} : { description: cut(deployment.description, 140) }),
              ...(deployment.production === undefined ? {} : { production_environment: deployment.production }),
            });
            if (!('id' in data)) throw new Error(`GitHub merged instead of making a deployment: ${JSON.stringify(data)}`);
            return deploymentOf(data);
          },
          async () =>
            (await newest(deployment.environment, deployment.sha, 5)).find((found) => samePayload(found.payload, deployment.payload)),
        ),
      ),
    newestDeployment: (environment, sha) =>
      call(`find the newest deployment of ${environment}`, async () => (await newest(environment, sha, 1))[0]),
    createDeploymentStatus: (deploymentId, status: NewDeploymentStatus) =>
      call(`set the deployment ${String(deploymentId)} to ${status.state}`, async () => {
        // Statuses are a log of which the newest counts: sending one twice does no harm, so Octokit may.
        await octokit.rest.repos.createDeploymentStatus({
          ...at,
          deployment_id: deploymentId,
          state: status.state,
          ...(status.description === undefined ? {} : { description: cut(status.description, 140) }),
          ...(status.logUrl === undefined ? {} : { log_url: status.logUrl }),
          ...(status.environmentUrl === undefined ? {} : { environment_url: status.environmentUrl }),
        });
      }),
    createComment: (issue, body) =>
      call(`comment on #${String(issue)}`, () =>
        createOnce(
          connection,
          async () =>
            commentOf((await octokit.rest.issues.createComment({ ...at, ...once, issue_number: issue, body: cut(body, 65_536) })).data),
          async () =>
            (await octokit.paginate(octokit.rest.issues.listComments, { ...at, issue_number: issue, per_page: 100 }))
              .map(commentOf)
              .findLast((found) => found.body === cut(body, 65_536)),
        ),
      ),
    updateComment: (id, body) =>
      call(`update the comment ${String(id)}`, async () =>
        commentOf((await octokit.rest.issues.updateComment({ ...at, comment_id: id, body: cut(body, 65_536) })).data),
      ),
    listComments: (issue) =>
      call(`read the comments of #${String(issue)}`, async () =>
        (await octokit.paginate(octokit.rest.issues.listComments, { ...at, issue_number: issue, per_page: 100 })).map(commentOf),
      ),
    createCheckRun: (run: NewCheckRun) =>
      call(`create the check run ${run.name}`, async () => {
        const annotations = (run.annotations ?? []).map(annotationOf);
        const output = (batch: typeof annotations): { title: string; summary: string; annotations: typeof annotations } => ({
          title: cut(run.title, 255),
          summary: cut(run.summary, 65_535),
          annotations: batch,
        });
        const { data } = await octokit.rest.checks.create({
          ...at,
          ...once,
          name: run.name,
          head_sha: run.sha,
          status: 'completed',
          conclusion: run.conclusion,
          output: output(annotations.slice(0, annotationsPerRequest)),
          ...(run.detailsUrl === undefined ? {} : { details_url: run.detailsUrl }),
        });
        for (let from = annotationsPerRequest; from < annotations.length; from += annotationsPerRequest) {
          // Each request adds its annotations to those that the run has, so it is sent once.
          await octokit.rest.checks.update({
            ...at,
            ...once,
            check_run_id: data.id,
            output: output(annotations.slice(from, from + annotationsPerRequest)),
          });
        }
        return data.id;
      }),
    dispatchWorkflow: (workflow, ref, inputs) =>
      call(`start the workflow ${workflow}`, async () => {
        await octokit.rest.actions.createWorkflowDispatch({ ...at, ...once, workflow_id: workflow, ref, inputs: { ...inputs } });
      }),
  };
}
