import { problem, UserError } from '../contract/errors.ts';
import type { Mask } from '../contract/ports.ts';
import { parseChallenges } from './challenge.ts';
import type { Credential, CredentialSource } from './credentials.ts';
import { isLoopback } from './reference.ts';
import { explainSilence, NoAnswer, send, type TransportOptions } from './transport.ts';

/** Authenticates requests for one repository, and remembers how. */
export interface Authorizer {
  /** Value of the `Authorization` header that worked last, if any. */
  current(): string | undefined;
  /** Answers a 401 with the value of the header to try next; throws `UserError` when that cannot be done. */
  answer(challenge: string | null, origin: string): Promise<string | undefined>;
  /** As whom we ask, for messages: never the secret itself. */
  described(): string;
}

export interface AuthorizerOptions {
  readonly host: string;
  readonly repository: string;
  readonly credentials: CredentialSource;
  readonly mask: Mask;
  readonly transport: TransportOptions;
}

const basic = (username: string, password: string): string => `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

export function authorizer({ host, repository, credentials, mask, transport }: AuthorizerOptions): Authorizer {
  let header: string | undefined;
  let identity = 'asked anonymously';
  const where = `${host}/${repository}`;
  const login = `run docker login ${host} (or docker/login-action) earlier in the same job`;

  const askToken = async (
    realm: URL,
    parameters: Readonly<Record<string, string>>,
    credential: Credential | undefined,
  ): Promise<string> => {
    const scope = parameters['scope'] ?? `repository:${repository}:pull`;
    const service = parameters['service'];
    const query = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
    let response: Response;
    try {
      if (credential?.kind === 'identity') {
        query.set('grant_type', 'refresh_token');
        query.set('client_id', 'paasta-actions');
        query.set('refresh_token', credential.token);
        response = await send(
          { method: 'POST', url: realm.href, headers: { 'Content-Type': 'application/x-www-form-urlencoded' }, body: query.toString() },
          transport,
        );
      } else {
        const url = new URL(realm);
        for (const [key, value] of query) url.searchParams.set(key, value);
        response = await send(
          {
            method: 'GET',
            url: url.href,
            headers: credential?.kind === 'basic' ? { Authorization: basic(credential.username, credential.password) } : {},
          },
          transport,
        );
      }
    } catch (error) {
      if (error instanceof NoAnswer) throw explainSilence(realm.href, error);
      throw error;
    }
    if (response.status !== 200) {
      await response.body?.cancel();
      const refused = response.status === 401 || response.status === 403 || response.status === 400;
      throw new UserError(
        refused
          ? problem(
              'REGISTRY_UNAUTHORIZED',
              `${realm.host}, which gives out the tokens of ${host}, refused us access to ${repository} (${response.status}, ${identity})`,
              {
                hint:
                  credential === undefined
                    ? `no credentials for ${host} are configured: ${login}`
                    : `${login}; the password or token may be wrong, expired or without access to ${repository}`,
              },
            )
          : problem('REGISTRY_ERROR', `${realm.host}, which gives out the tokens of ${host}, answered ${response.status}`, {
              hint: 'nothing is known about the image; try again later',
            }),
      );
    }
    let token: unknown;
    try {
      const body = (await response.json()) as { token?: unknown; access_token?: unknown } | null;
      token = body?.token ?? body?.access_token;
    } catch {
      token = undefined;
    }
    if (typeof token !== 'string' || token === '')
      throw new UserError(
        problem('REGISTRY_ERROR', `${realm.host}, which gives out the tokens of ${host}, answered without a token`, {
          hint: 'the registry is misconfigured',
        }),
      );
    mask(token);
    return token;
  };

  return {
    current: () => header,
    described: () => identity,
    async answer(challenge, origin) {
      const challenges = parseChallenges(challenge ?? '');
      const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
      const plain = challenges.find(({ scheme }) => scheme === 'basic');
      if (bearer === undefined && plain === undefined) {
        throw new UserError(
          problem(
            'REGISTRY_NO_CHALLENGE',
            challenges.length === 0
              ? `the registry ${host} answered 401 without saying how to authenticate (no WWW-Authenticate header)`
              : `the registry ${host} asks for authentication by '${challenges.map(({ scheme }) => scheme).join("', '")}'; known: basic, bearer`,
            { hint: 'something that is not a registry may answer there (a proxy or a firewall); ask with curl -I for /v2/ on that host' },
          ),
        );
      }
      const credential = await credentials(host, repository);
      identity =
        credential === undefined
          ? 'no credentials configured'
          : credential.kind === 'basic'
            ? `as user '${credential.username}'`
            : 'with a stored token';
      if (bearer !== undefined) {
        if (credential?.kind === 'bearer') return (header = `Bearer ${credential.token}`);
        const address = bearer.parameters['realm'] ?? '';
        const realm = URL.canParse(address) ? new URL(address) : undefined;
        // A token server on plain HTTP would read the password off the wire: only where the registry itself is plain HTTP.
        if (
          realm === undefined ||
          !(realm.protocol === 'https:' || (realm.protocol === 'http:' && (origin.startsWith('http:') || isLoopback(realm.host))))
        ) {
          throw new UserError(
            problem(
              'REGISTRY_NO_CHALLENGE',
              `the registry ${host} names '${address}' as the place to get tokens; an https address is needed`,
              { hint: 'the registry is misconfigured' },
            ),
          );
        }
        return (header = `Bearer ${await askToken(realm, bearer.parameters, credential)}`);
      }
      if (credential === undefined)
        throw new UserError(
          problem('REGISTRY_UNAUTHORIZED', `the registry ${host} wants a user and a password for ${where}, and none is configured`, {
            hint: login,
          }),
        );
      if (credential.kind !== 'basic')
        throw new UserError(
          problem(
            'REGISTRY_UNAUTHORIZED',
            `the registry ${host} wants a user and a password for ${where}; the docker configuration holds a token for it`,
            { hint: login },
          ),
        );
      header = basic(credential.username, credential.password);
      mask(header.slice('Basic '.length));
      return header;
    },
  };
}
