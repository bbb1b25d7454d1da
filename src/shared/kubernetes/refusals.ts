/** What the API server (or the way to it) answered, said so that the user knows what to change. */
import { messageOf, problem, UserError, type Problem } from '../contract/errors.ts';

/** Where a request went, for messages. */
export interface Target {
  readonly server: string;
  readonly context: string;
}

/** What was asked of the API server. */
export interface Asked {
  /** RBAC verb: get, list, watch, create, patch, delete. */
  readonly verb: string;
  /** Plural, with the subresource: `deployments/scale`. */
  readonly resource: string;
  readonly group: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** The API server said no (4xx), or cannot take our object. `status` and `reason` are the API's own. */
export class ApiRefusal extends UserError {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, found: Problem) {
    super(found);
    this.name = 'ApiRefusal';
    this.status = status;
    this.reason = reason;
  }
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly details?: {
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
    readonly retryAfterSeconds?: number;
  };
}

function object(asked: Asked): string {
  const where = asked.namespace === undefined ? '' : ` in namespace ${asked.namespace}`;
  return `${asked.resource}${asked.name === undefined ? '' : ` ${asked.name}`}${where}`;
}

/** `deployments.apps` as RBAC rules and `kubectl auth can-i` write it. */
function qualified(asked: Asked): string {
  const [plural, sub] = asked.resource.split('/');
  return `${plural ?? ''}${asked.group === '' ? '' : `.${asked.group}`}${sub === undefined ? '' : `/${sub}`}`;
}

/** True for a 500 that is the user's error: server-side apply met a field that the kind does not have. */
export function isUnknownField(text: string): boolean {
  return /field not declared in schema/.test(text);
}

/** An answer that stays what it is although its status says otherwise: an unknown field, a webhook that denies with a status of its own choice. */
export function isFinal(status: number, text: string): boolean {
  return (status === 500 && isUnknownField(text)) || /admission webhook .* denied the request/.test(text);
}

/** The webhook that did not answer the API server. */
export function silentWebhook(text: string): string | undefined {
  // In JSON the quotes are escaped.
  return /failed calling webhook \\?"([\w.-]+)/.exec(text)?.[1];
}

/** The refusal of an answer with a status of 400 or more. */
export function refusal(status: number, body: Status, asked: Asked, target: Target): ApiRefusal {
  const said = (body.message ?? `HTTP ${status}`).replace(/\s+/g, ' ').trim();
  const reason = body.reason ?? '';
  const no = (code: string, message: string, hint: string): ApiRefusal => new ApiRefusal(status, reason, problem(code, message, { hint }));
  if (status === 401) {
    return no(
      'CLUSTER_UNAUTHORIZED',
      `${target.server} does not accept the credentials of context '${target.context}' (401: ${said})`,
      'renew the token or client certificate of that kubeconfig user, or correct its exec plugin',
    );
  }
  if (status === 403 && /exceeded quota|insufficient quota/i.test(said)) {
    return no(
      'QUOTA_EXCEEDED',
      `quota refuses ${object(asked)}: ${said}`,
      'raise the ResourceQuota of the namespace, or lower cpus, mem or instances',
    );
  }
  if (status === 403 && /because it is being terminated/.test(said)) {
    return no(
      'NAMESPACE_TERMINATING',
      `namespace ${asked.namespace ?? ''} is being deleted, nothing can be made in it: ${said}`,
      'wait until it is gone (kubectl get namespace says what holds it up), then run again',
    );
  }
  if (/admission webhook .* denied|ValidatingAdmissionPolicy|violates PodSecurity/i.test(said)) {
    return no(
      'ADMISSION_DENIED',
      `an admission rule of the cluster refuses ${object(asked)}: ${said}`,
      'change the instance so that the rule is met, or ask the owner of the rule',
    );
  }
  const silent = silentWebhook(said);
  if (silent !== undefined) {
    return no(
      'WEBHOOK_UNAVAILABLE',
      `the admission webhook ${silent} of the cluster does not answer, so that ${object(asked)} cannot be written: ${said}`,
      'run again when it answers; its owner finds it under kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations',
    );
  }
  if (status === 403 && (/cannot \w+ resource/.test(said) || reason === 'Forbidden') && !/is forbidden: (?!User)/.test(said)) {
    const where = asked.namespace === undefined ? 'at cluster scope' : `in namespace ${asked.namespace}`;
    return no(
      'CLUSTER_FORBIDDEN',
      `context '${target.context}' on ${target.server} may not ${asked.verb} ${qualified(asked)} ${where} (403: ${said})`,
      `grant the verb '${asked.verb}' on '${qualified(asked)}' to that user with a Role${asked.namespace === undefined ? 'Binding of a ClusterRole at cluster scope' : `Binding in ${asked.namespace}`}`,
    );
  }
  if (status === 403)
    return no(
      'ADMISSION_DENIED',
      `the cluster refuses ${object(asked)}: ${said}`,
      'change the instance so that the rule is met, or ask the owner of the rule',
    );
  if (status === 404 && asked.name === undefined) {
    return no(
      'KIND_MISSING',
      `${target.server} does not know ${qualified(asked)} (404)`,
      'the cluster is too old for this kind, or its CustomResourceDefinition is not installed',
    );
  }
  if (status === 404) {
    const namespace = /namespaces "([^"]+)" not found/.exec(said)?.[1];
    return namespace === undefined
      ? no('NOT_FOUND', `${object(asked)} does not exist (404: ${said})`, 'run again: it may have been removed meanwhile')
      : no('NAMESPACE_MISSING', `namespace ${namespace} does not exist (404: ${said})`, 'create it, or let the run create namespaces');
  }
  if (status === 422) {
    const fields = (body.details?.causes ?? []).map((c) => `${c.field ?? '?'}: ${c.message ?? ''}`).join('; ');
    return no(
      'OBJECT_INVALID',
      `the API server refuses ${object(asked)} as invalid: ${fields === '' ? said : fields}`,
      'correct the key of the instance that sets this field',
    );
  }
  if (isUnknownField(said)) {
    // The look back takes the first dot of a path only: one start for each path, however long.
    const field = /\.(?<=(?<![\w.[\]="])[\w[\]="]*\.)([\w.[\]="]+): field not declared/.exec(said)?.[1];
    return no(
      'UNKNOWN_FIELD',
      `${object(asked)} has a field that this cluster does not know${field === undefined ? '' : `: ${field}`} (${said})`,
      'correct the key that renders it, or upgrade the cluster',
    );
  }
  return no(
    'CLUSTER_REFUSED',
    `${target.server} refuses to ${asked.verb} ${object(asked)} (${status}${reason === '' ? '' : ` ${reason}`}: ${said})`,
    'see the message of the API server',
  );
}

/** Code and hint of an error below HTTP. */
function causeOf(error: unknown): { readonly code: string; readonly text: string } {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
    const seen = at as { readonly code?: unknown; readonly message?: unknown; readonly cause?: unknown; readonly errors?: unknown };
    if (typeof seen.code === 'string')
      return { code: seen.code, text: typeof seen.message === 'string' && seen.message !== '' ? seen.message : seen.code };
    // Every address of a name was tried: the first one tells.
    at = Array.isArray(seen.errors) && seen.errors.length > 0 ? (seen.errors as readonly unknown[])[0] : seen.cause;
  }
  return { code: '', text: messageOf(error) };
}

const TLS = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME|ERR_TLS|ERR_SSL|EPROTO|UNABLE_TO_VERIFY/;
const TRANSIENT =
  /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|UND_ERR_SOCKET|UND_ERR_CONNECT_TIMEOUT|UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT|UND_ERR_RESPONSE|UND_ERR_ABORTED|UND_ERR_CLOSED|UND_ERR_DESTROYED|Z_BUF_ERROR|HPE_.*)$/;

/** True when trying again may help. */
export function isTransient(error: unknown): boolean {
  const { code } = causeOf(error);
  return TRANSIENT.test(code) && !TLS.test(code);
}

/** An error below HTTP as a problem that names server and context. */
export function unreachable(error: unknown, target: Target): Problem {
  const { code, text } = causeOf(error);
  const said = code === '' || text.includes(code) ? text : `${code}: ${text}`;
  const at = `${target.server} (context '${target.context}')`;
  if (TLS.test(code)) {
    return problem('CLUSTER_TLS', `the TLS connection to ${at} fails: ${said}`, {
      hint: 'put the CA of the API server into certificate-authority-data of the kubeconfig (and tls-server-name when the certificate has another name); for a proxy that opens TLS, NODE_EXTRA_CA_CERTS',
    });
  }
  const next =
    code === 'ENOTFOUND' || code === 'EAI_AGAIN'
      ? 'the name does not resolve from here: check the server in the kubeconfig, and whether a VPN, a proxy (HTTPS_PROXY) or a runner inside the network is needed'
      : code === 'ECONNREFUSED'
        ? 'nothing listens there: check the server and port in the kubeconfig, and that the API server runs'
        : 'check that the runner can reach the API server: firewall, allowed networks, HTTPS_PROXY / NO_PROXY';
  return problem('CLUSTER_UNREACHABLE', `cannot reach the API server ${at}: ${said}`, { hint: next });
}

/** A good answer that is no JSON. */
export function notAnApiServer(text: string, target: Target): Problem {
  const said = text.replace(/\s+/g, ' ').trim().slice(0, 100);
  return problem(
    'NOT_AN_API_SERVER',
    `what answers at ${target.server} (context '${target.context}') is no API server: ${said === '' ? 'its answer is empty' : `'${said}'`}`,
    { hint: 'check the server in the kubeconfig; a proxy or a login page may stand before it (HTTPS_PROXY / NO_PROXY)' },
  );
}
