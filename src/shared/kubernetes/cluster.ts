/** The API of one cluster as this project needs it: plain JSON in, plain JSON out. */
import { problem, UserError } from '../contract/errors.ts';
import type { Clock, Log } from '../contract/ports.ts';
import { KINDS, PROXY_VERBS, type Kind, type KubeObject } from '../objects/types.ts';
import { lean } from './lean.ts';
import { ApiRefusal, notAnApiServer, refusal, type Asked, type Target } from './refusals.ts';
import { parse, type Answer, type Call, type Transport } from './transport.ts';
import type {
  ApplyOptions,
  ApplyOutcome,
  Change,
  FieldConflict,
  Listed,
  ListOptions,
  LogOptions,
  PodAnswer,
  PodRequest,
  RequestCount,
  WatchOptions,
} from './types.ts';
import { follow } from './watch.ts';

/** Field manager of everything that we apply. */
export const FIELD_MANAGER = 'paasta';
/** Field manager of replica counts that an autoscaler owns afterwards. */
export const SCALE_MANAGER = 'paasta-scale';

/**
 * Objects of one page. A page costs a round trip and the server a walk of its own, so a thousand instances with all that belongs to them come
 * in one page for each kind.
 */
const PAGE = 2_000;
/**
 * Of pods, which are the largest and the most: two thousand of them are 20 MB of text, and of a page both its text and its objects are held at
 * once. They are asked for only when something changes.
 */
const PAGE_OF_PODS = 250;

const kindByName = new Map<string, Kind>(Object.values(KINDS).map((k) => [`${k.apiVersion}/${k.kind}`, k]));

/** Where an object's kind lives. Throws `UserError` for a kind that this project does not know. */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): Kind {
  const kind = kindByName.get(`${object.apiVersion}/${object.kind}`);
  if (kind === undefined)
    throw new UserError(problem('KIND_UNKNOWN', `${object.apiVersion} ${object.kind} is not a kind that this version can write`));
  return kind;
}

function pathOf(kind: Kind, namespace: string | undefined, name?: string): string {
  const root = kind.apiVersion.includes('/') ? `/apis/${kind.apiVersion}` : `/api/${kind.apiVersion}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${kind.plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

function asked(verb: string, kind: Kind, namespace: string | undefined, name?: string, sub?: string): Asked {
  return {
    verb,
    resource: sub === undefined ? kind.plural : `${kind.plural}/${sub}`,
    group: kind.apiVersion.includes('/') ? (kind.apiVersion.split('/')[0] ?? '') : '',
    namespace: kind.namespaced ? namespace : undefined,
    name,
  };
}

interface Causes {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[] };
}

function conflictsOf(body: Causes): readonly FieldConflict[] {
  return (body.details?.causes ?? [])
    .filter((c) => c.reason === 'FieldManagerConflict')
    .map((c) => ({
      manager: /conflict with "([^"]+)"/.exec(c.message ?? '')?.[1] ?? 'another manager',
      field: (c.field ?? '').replace(/^\./, ''),
    }));
}

/** The API server's own words, when an answer of its proxy is one of itself and not one of the pod. */
function statusOfServer(text: string): (Causes & { readonly reason?: string }) | undefined {
  const body = parse(text);
  return body['kind'] === 'Status' && body['apiVersion'] === 'v1' && body['status'] === 'Failure' ? body : undefined;
}

export class Cluster {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Pick<Log, 'debug'>;

  constructor(transport: Transport, clock: Clock, log: Pick<Log, 'debug'>) {
    this.#transport = transport;
    this.#clock = clock;
    this.#log = log;
  }

  /** Address and context, for messages. */
  get target(): Target {
    return this.#transport.target;
  }

  get requests(): RequestCount {
    return { reads: this.#transport.reads, writes: this.#transport.writes };
  }

  /** JSON of a good answer. Throws `UserError` when it is none: at the address stands something else, such as a login page. */
  #json({ text }: Pick<Answer, 'text'>): unknown {
    try {
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw new UserError(notAnApiServer(text, this.target), { cause: error });
    }
  }

  /** Every page of a list, of one consistent version. */
  async list(kind: Kind, options: ListOptions = {}, signal?: AbortSignal): Promise<Listed> {
    const items: KubeObject[] = [];
    let go: string | undefined;
    let resourceVersion = '';
    for (let tries = 0; ;) {
      try {
        const answer = await this.#transport.call(
          {
            method: 'GET',
            path: pathOf(kind, options.namespace),
            query: {
              limit: options.limit ?? (kind.kind === 'Pod' ? PAGE_OF_PODS : PAGE),
              continue: go,
              labelSelector: options.labelSelector,
              fieldSelector: options.fieldSelector,
            },
            asked: asked('list', kind, options.namespace),
          },
          signal === undefined ? {} : { signal },
        );
        const page = this.#json(answer) as { metadata?: { continue?: string; resourceVersion?: string }; items?: KubeObject[] };
        // Items of a list come without their kind.
        for (const item of page.items ?? []) items.push(lean({ ...item, apiVersion: kind.apiVersion, kind: kind.kind }));
        resourceVersion = page.metadata?.resourceVersion ?? resourceVersion;
        go = page.metadata?.continue === '' ? undefined : page.metadata?.continue;
        if (go === undefined) return { items, resourceVersion };
      } catch (error) {
        // The snapshot of the first page expired (a slow reader): begin again.
        if (!(error instanceof ApiRefusal) || error.status !== 410 || ++tries > 3) throw error;
        items.length = 0;
        go = undefined;
      }
    }
  }

  /** `undefined` when there is no such object. */
  async get(kind: Kind, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    const answer = await this.#transport.call({
      method: 'GET',
      path: pathOf(kind, namespace, name),
      asked: asked('get', kind, namespace, name),
      expect: [404],
    });
    return answer.status === 404 ? undefined : (this.#json(answer) as KubeObject);
  }

  /** Asks for metadata only: the content of a Secret stays where it is. */
  async exists(kind: Kind, namespace: string | undefined, name: string): Promise<boolean> {
    const accept = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';
    return (
      (
        await this.#transport.call({
          method: 'GET',
          path: pathOf(kind, namespace, name),
          accept,
          asked: asked('get', kind, namespace, name),
          expect: [404],
        })
      ).status !== 404
    );
  }

  /** Server-side apply. A conflict is an outcome, not an error; a refusal is thrown. */
  async apply(object: KubeObject, options: ApplyOptions = {}): Promise<ApplyOutcome> {
    const kind = kindOf(object);
    const { name, namespace } = object.metadata;
    const answer = await this.#transport.call({
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: {
        fieldManager: options.fieldManager ?? FIELD_MANAGER,
        force: options.force === true ? true : undefined,
        dryRun: options.dryRun === true ? 'All' : undefined,
        fieldValidation: 'Strict',
      },
      body: object,
      contentType: 'application/apply-patch+yaml',
      asked: asked('patch', kind, namespace, name),
      expect: [409],
    });
    if (answer.status !== 409)
      return { outcome: 'applied', object: this.#json(answer) as KubeObject, created: answer.status === 201, warnings: answer.warnings };
    const body = parse(answer.text);
    const conflicts = conflictsOf(body);
    if (conflicts.length === 0)
      throw new ApiRefusal(
        409,
        body.reason ?? 'Conflict',
        problem('CLUSTER_CONFLICT', `${kind.plural} ${name}: ${body.message ?? 'conflict'}`, { hint: 'run again' }),
      );
    return { outcome: 'conflict', conflicts, message: body.message ?? '' };
  }

  /** Sets the replicas of a workload as the manager of counts, so that the field never belongs to our apply. */
  async scale(kind: Kind, namespace: string, name: string, replicas: number): Promise<void> {
    await this.#transport.call({
      method: 'PATCH',
      path: `${pathOf(kind, namespace, name)}/scale`,
      query: { fieldManager: SCALE_MANAGER },
      body: { spec: { replicas } },
      contentType: 'application/merge-patch+json',
      asked: asked('patch', kind, namespace, name, 'scale'),
    });
  }

  /** A merge patch; only for what server-side apply cannot say (ownership of fields). */
  async patch(object: KubeObject, body: unknown, contentType = 'application/merge-patch+json'): Promise<KubeObject> {
    const kind = kindOf(object);
    const { name, namespace } = object.metadata;
    const answer = await this.#transport.call({
      method: 'PATCH',
      path: pathOf(kind, namespace, name),
      query: { fieldManager: FIELD_MANAGER },
      body,
      contentType,
      asked: asked('patch', kind, namespace, name),
    });
    return this.#json(answer) as KubeObject;
  }

  /** Creates it; `undefined` when one of that name exists. */
  async create(object: KubeObject, options: { readonly dryRun?: boolean } = {}): Promise<KubeObject | undefined> {
    const kind = kindOf(object);
    const answer = await this.#transport.call({
      method: 'POST',
      path: pathOf(kind, object.metadata.namespace),
      query: { fieldManager: FIELD_MANAGER, dryRun: options.dryRun === true ? 'All' : undefined },
      body: object,
      asked: asked('create', kind, object.metadata.namespace, object.metadata.name),
      expect: [409],
    });
    return answer.status === 409 ? undefined : (this.#json(answer) as KubeObject);
  }

  /** False when there was nothing to delete. */
  async delete(
    kind: Kind,
    namespace: string | undefined,
    name: string,
    options: { readonly uid?: string; readonly propagation?: 'Foreground' | 'Background' | 'Orphan' } = {},
  ): Promise<boolean> {
    const answer = await this.#transport.call({
      method: 'DELETE',
      path: pathOf(kind, namespace, name),
      body: {
        kind: 'DeleteOptions',
        apiVersion: 'v1',
        propagationPolicy: options.propagation ?? 'Background',
        ...(options.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
      },
      asked: asked('delete', kind, namespace, name),
      expect: [404],
    });
    return answer.status !== 404;
  }

  /** What happens to a kind from now on; see `Change`. */
  watch(kind: Kind, options: WatchOptions): AsyncGenerator<Change> {
    const listing: ListOptions = {
      ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
      ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
      ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
    };
    return follow(
      {
        transport: this.#transport,
        clock: this.#clock,
        log: this.#log,
        path: pathOf(kind, options.namespace),
        query: { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector },
        asked: asked('watch', kind, options.namespace),
        list: (signal) => this.list(kind, listing, signal),
      },
      options.resourceVersion,
      options.signal,
    );
  }

  /** Last lines of a container's log; `undefined` when there is none to be had (the container never ran, the node is away). */
  async logs(namespace: string, pod: string, container: string, options: LogOptions = {}): Promise<string | undefined> {
    const answer = await this.#transport.call({
      method: 'GET',
      path: `${pathOf(KINDS.Pod, namespace, pod)}/log`,
      query: { container, tailLines: options.tailLines ?? 25, previous: options.previous === true ? true : undefined, limitBytes: 262_144 },
      accept: '*/*',
      asked: asked('get', KINDS.Pod, namespace, pod, 'log'),
      expect: [400, 404, 500],
    });
    return answer.status === 200 ? answer.text : undefined;
  }

  /**
   * Asks a pod through the API server's proxy; every status of the pod is an answer. Throws `ApiRefusal` when the API server itself
   * refuses: `pods/proxy` is not granted, there is no such pod.
   */
  async podRequest(
    namespace: string,
    pod: string,
    { scheme, port, path, method, form }: PodRequest,
    signal: AbortSignal,
  ): Promise<PodAnswer> {
    // Resolved on its own first: with dots in it the path could leave the pod for another part of the API.
    const { pathname, search } = new URL(path, 'http://pod.invalid/');
    const call: Call = {
      method,
      path: `${pathOf(KINDS.Pod, namespace)}/${scheme === 'https' ? 'https:' : ''}${encodeURIComponent(pod)}:${port}/proxy${pathname}${search}`,
      accept: '*/*',
      asked: asked(PROXY_VERBS[method], KINDS.Pod, namespace, pod, 'proxy'),
      expect: 'any',
      ...(form === undefined ? {} : { body: new URLSearchParams(form).toString(), contentType: 'application/x-www-form-urlencoded' }),
    };
    const { status, text } = await this.#transport.call(call, { signal });
    const said = status < 400 ? undefined : statusOfServer(text);
    if (said === undefined) return { status, body: text };
    if (status < 500) throw refusal(status, said, call.asked, this.#transport.target);
    return { status: undefined, body: said.message ?? '' };
  }

  async serverVersion(): Promise<string> {
    const answer = await this.#transport.call({
      method: 'GET',
      path: '/version',
      asked: { verb: 'get', resource: '/version', group: '', namespace: undefined, name: undefined },
    });
    return (this.#json(answer) as { gitVersion?: string }).gitVersion ?? 'unknown';
  }

  /** Identity of the cluster: the uid of namespace kube-system, which lives as long as the cluster does. */
  async identity(): Promise<string | undefined> {
    return (await this.get(KINDS.Namespace, undefined, 'kube-system'))?.metadata.uid;
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }
}
