/** The door to the API server against a server that misbehaves as API servers do. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { connectCluster, type Change, type Cluster } from '../../src/shared/kubernetes/index.ts';
import { KINDS, type KubeObject } from '../../src/shared/objects/types.ts';
import { systemClock } from '../../src/shared/runtime/clock.ts';
import { recordingLog, recordingMask, type RecordingLog } from '../support/recording.ts';
import { startProxy, startSecureFront } from '../support/network-fronts.ts';

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, count: number) => void;

const configMap = (name: string, version: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'd', uid: name, resourceVersion: String(version) },
});
const json = (response: http.ServerResponse, status: number, body: object, headers: http.OutgoingHttpHeaders = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};
const status = (code: number, message: string, reason = ''): object => ({ kind: 'Status', code, message, reason });

describe('the door to the API server', () => {
  let server: http.Server;
  let answer: Answer;
  let count: number;
  let sockets: number;
  let log: RecordingLog;
  let cluster: Cluster | undefined;
  let abort: AbortController;
  let directory: string;
  beforeEach(async () => {
    count = 0;
    sockets = 0;
    log = recordingLog();
    abort = new AbortController();
    directory = mkdtempSync(join(tmpdir(), 'paasta-door-'));
    server = http
      .createServer((request, response) => {
        answer(request, response, ++count);
      })
      .on('connection', () => {
        sockets++;
      });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
  });
  afterEach(async () => {
    abort.abort();
    await cluster?.close();
    cluster = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  });

  const address = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function connect(
    options: {
      readonly user?: object;
      readonly url?: string;
      readonly ca?: string;
      readonly env?: Record<string, string>;
      readonly mask?: (s: string) => void;
      readonly retryFor?: number;
    } = {},
  ): Promise<Cluster> {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'lab',
      contexts: [{ name: 'lab', context: { cluster: 'c', user: 'u' } }],
      clusters: [
        {
          name: 'c',
          cluster: { server: options.url ?? address(), ...(options.ca === undefined ? {} : { 'certificate-authority': options.ca }) },
        },
      ],
      users: [{ name: 'u', user: options.user ?? {} }],
    };
    const path = join(directory, 'kubeconfig');
    writeFileSync(path, JSON.stringify(config));
    return (cluster = await connectCluster({
      kubeconfig: { kind: 'file', path },
      userAgent: 'door-test',
      log,
      mask: options.mask ?? (() => undefined),
      clock: systemClock,
      signal: abort.signal,
      env: options.env ?? {},
      retryFor: options.retryFor ?? 60_000,
      retryFirstFor: 1_000,
    }));
  }

  it('sends many requests over few connections', async () => {
    answer = (_, response) => {
      json(response, 200, { items: [], metadata: { resourceVersion: '1' } });
    };
    const c = await connect();
    for (let i = 0; i < 50; i++) await c.list(KINDS.ConfigMap);
    expect(count).toBe(50);
    expect(sockets).toBeLessThanOrEqual(2);
  });

  it('says that something else answers, such as a login page', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>\n  <title>Log in</title>');
    };
    const c = await connect();
    const said = {
      problems: [
        {
          code: 'NOT_AN_API_SERVER',
          message: `what answers at ${address()} (context 'lab') is no API server: '<html> <title>Log in</title>'`,
          hint: 'check the server in the kubeconfig; a proxy or a login page may stand before it (HTTPS_PROXY / NO_PROXY)',
        },
      ],
    };
    await expect(c.list(KINDS.ConfigMap)).rejects.toMatchObject(said);
    await expect(c.get(KINDS.ConfigMap, 'd', 'a')).rejects.toMatchObject(said);
    await expect(c.apply(configMap('a', 1))).rejects.toMatchObject(said);
  });

  it('reads every page of a list', async () => {
    answer = (request, response) => {
      const page = new URL(request.url ?? '', 'http://x').searchParams.get('continue');
      json(
        response,
        200,
        page === null
          ? { items: [configMap('a', 1)], metadata: { continue: 'more', resourceVersion: '7' } }
          : { items: [configMap('b', 2)], metadata: { resourceVersion: '7' } },
      );
    };
    const listed = await (await connect()).list(KINDS.ConfigMap);
    expect([listed.items.map((o) => o.metadata.name), listed.resourceVersion]).toEqual([['a', 'b'], '7']);
  });

  it('waits as long as a 429 asks, and tries 500 and a cut connection again', async () => {
    answer = (request, response, n) => {
      if (n === 1) json(response, 429, status(429, 'slow down'), { 'retry-after': '1' });
      else if (n === 2) json(response, 500, status(500, 'etcd leader changed'));
      else if (n === 3) request.socket.destroy();
      else json(response, 200, configMap('x', 1));
    };
    const begun = performance.now();
    expect((await (await connect()).get(KINDS.ConfigMap, 'd', 'x'))?.metadata.name).toBe('x');
    expect(count).toBe(4);
    const waited = performance.now() - begun;
    expect(waited).toBeGreaterThan(1_000);
  });

  it('reads packed answers, and asks again for one that breaks off', async () => {
    // Long enough for many pieces, with letters of several bytes that fall on their borders.
    const value = Array.from({ length: 120_000 }, (_, n) => `ü${n}`).join('');
    const packed = gzipSync(JSON.stringify({ ...configMap('x', 1), data: { value } }));
    const half = packed.subarray(0, packed.length / 2);
    answer = (request, response, n) => {
      expect(request.headers['accept-encoding']).toBe('gzip');
      const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
      if (n === 1) response.writeHead(200, headers).write(half, () => request.socket.destroy());
      else if (n === 2) response.writeHead(200, headers).end(half);
      else response.writeHead(200, headers).end(packed);
    };
    const found = await (await connect()).get(KINDS.ConfigMap, 'd', 'x');
    expect(found).toMatchObject({ data: { value } });
    expect(count).toBe(3);
  });

  it('says of an answer that cannot be unpacked what is wrong with it, and does not ask again', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('this is not packed');
    };
    await expect((await connect()).get(KINDS.ConfigMap, 'd', 'x')).rejects.toMatchObject({
      problems: [
        {
          code: 'CLUSTER_UNREACHABLE',
          message: expect.stringMatching(/^cannot reach the API server .*Z_DATA_ERROR: incorrect header check$/),
        },
      ],
    });
    expect(count).toBe(1);
  });

  it('asks for pages that hold two thousand objects, of pods a quarter of a thousand, and keeps no record of who wrote which field of a pod', async () => {
    const queries: string[] = [];
    answer = (request, response) => {
      queries.push(new URL(request.url ?? '', 'http://x').searchParams.get('limit') ?? '');
      json(response, 200, {
        items: [{ metadata: { name: 'p', managedFields: [{ manager: 'kubelet', operation: 'Update' }] } }],
        metadata: { resourceVersion: '1' },
      });
    };
    const c = await connect();
    expect((await c.list(KINDS.Pod)).items[0]?.metadata).toEqual({ name: 'p' });
    expect((await c.list(KINDS.Deployment)).items[0]?.metadata.managedFields).toHaveLength(1);
    expect(queries).toEqual(['250', '2000']);
  });

  it('sends less at once to a server that has too much to do, until everything is through', async () => {
    let inside = 0;
    let refused = 0;
    let most = 0;
    const stored = new Set<string>();
    answer = (request, response) => {
      most = Math.max(most, ++inside);
      setTimeout(() => {
        // This server can do two things at a time.
        if (inside-- > 2) {
          refused++;
          json(response, 429, status(429, 'too many requests'), { 'retry-after': '1' });
          return;
        }
        stored.add(request.url ?? '');
        json(response, 200, configMap('m', 1));
      }, 20);
    };
    const c = await connect({ retryFor: 60_000 });
    const names = Array.from({ length: 24 }, (_, n) => `m${n}`);
    await Promise.all(names.map((name) => c.apply(configMap(name, 1))));
    expect(stored.size).toBe(24);
    // Nothing was held back before the first refusals.
    expect(most).toBeGreaterThan(12);
    // Each of them again and again after every second would be more than a hundred.
    expect(refused).toBeLessThan(60);
  });

  it('does not repeat a refusal, nor the 500 that is an unknown field or the word of a webhook', async () => {
    answer = (_, response) => {
      json(
        response,
        403,
        status(
          403,
          'configmaps "x" is forbidden: User "u" cannot get resource "configmaps" in API group "" in the namespace "d"',
          'Forbidden',
        ),
      );
    };
    const c = await connect();
    await expect(c.get(KINDS.ConfigMap, 'd', 'x')).rejects.toThrow('may not get configmaps in namespace d');
    expect(count).toBe(1);
    answer = (_, response) => {
      json(response, 500, status(500, 'failed to create typed patch object: .bogus: field not declared in schema'));
    };
    await expect(c.apply(configMap('x', 1))).rejects.toThrow('has a field that this cluster does not know: bogus');
    expect(count).toBe(2);
    answer = (_, response) => {
      json(response, 500, status(500, 'admission webhook "w.example.com" denied the request: not on Fridays'));
    };
    await expect(c.apply(configMap('x', 1))).rejects.toThrow(
      'an admission rule of the cluster refuses configmaps x in namespace d: admission webhook "w.example.com" denied the request: not on Fridays',
    );
    expect(count).toBe(3);
  });

  it('gives up on a server that stays broken, within its time', async () => {
    answer = (_, response) => {
      json(response, 503, status(503, 'not ready'));
    };
    await expect((await connect({ retryFor: 5_000 })).serverVersion()).rejects.toThrow('503');
    expect(count).toBeGreaterThan(1);
  });

  it('reads the credentials again on 401, once, and masks them', async () => {
    const tokenFile = join(directory, 'token');
    writeFileSync(tokenFile, 'old-token\n');
    const { mask, secrets } = recordingMask();
    answer = (request, response) => {
      if (request.headers.authorization === 'Bearer new-token') json(response, 200, configMap('x', 1));
      else {
        writeFileSync(tokenFile, 'new-token');
        json(response, 401, status(401, 'Unauthorized'));
      }
    };
    const c = await connect({ user: { tokenFile: 'token' }, mask });
    expect((await c.get(KINDS.ConfigMap, 'd', 'x'))?.metadata.name).toBe('x');
    expect(secrets).toEqual(['old-token', 'new-token']);
    answer = (_, response) => {
      json(response, 401, status(401, 'Unauthorized'));
    };
    await expect(c.get(KINDS.ConfigMap, 'd', 'x')).rejects.toThrow("does not accept the credentials of context 'lab'");
    expect(count).toBe(4);
  });

  it('does not believe the refusals of a server that has just come back: it has not read yet who may do what', async () => {
    const refuse = (response: http.ServerResponse, code: 401 | 403): void => {
      json(response, code, status(code, code === 401 ? 'Unauthorized' : 'configmaps "x" is forbidden: User "u" cannot get resource'));
    };
    answer = (request, response, n) => {
      if (n === 1) request.socket.destroy();
      else if (n <= 4) refuse(response, n === 3 ? 403 : 401);
      else json(response, 200, configMap('x', 1));
    };
    const c = await connect();
    expect((await c.get(KINDS.ConfigMap, 'd', 'x'))?.metadata.name).toBe('x');
    expect(count).toBe(5);

    answer = (request, response, n) => {
      if (n === 6) request.socket.destroy();
      else if (n <= 9) refuse(response, n === 9 ? 403 : 401);
      else response.writeHead(200).write(`${JSON.stringify({ type: 'ADDED', object: configMap('a', 2) })}\n`);
    };
    const changes: string[] = [];
    const stop = new AbortController();
    for await (const change of c.watch(KINDS.ConfigMap, { namespace: 'd', resourceVersion: '1', signal: stop.signal })) {
      changes.push(change.type);
      if (change.type === 'put') stop.abort();
    }
    expect(changes).toEqual(['lost', 'back', 'put']);
  });

  it('runs a login plugin, and says so when it cannot', async () => {
    const plugin = join(directory, 'login');
    writeFileSync(
      plugin,
      '#!/bin/sh\necho \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}\'\n',
      { mode: 0o755 },
    );
    let seen: string | undefined;
    answer = (request, response) => {
      seen = request.headers.authorization;
      json(response, 200, configMap('x', 1));
    };
    await (
      await connect({ user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin } } })
    ).get(KINDS.ConfigMap, 'd', 'x');
    expect(seen).toBe('Bearer from-plugin');
    await expect(
      connect({ user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: '/nonexistent/login' } } }),
    ).rejects.toThrow("the credentials of context 'lab' cannot be had");
  });

  it('names the contexts that there are', async () => {
    answer = (_, response) => {
      json(response, 200, {});
    };
    await connect();
    await expect(
      connectCluster({
        kubeconfig: { kind: 'file', path: join(directory, 'kubeconfig') },
        context: 'lba',
        userAgent: 'x',
        log,
        mask: () => undefined,
        clock: systemClock,
        signal: abort.signal,
        env: {},
      }),
    ).rejects.toThrow("did you mean 'lab'?");
  });

  it('keeps a watch going: closed streams, a lost place, ERROR events, cut connections', async () => {
    const line = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
    const asked: string[] = [];
    let watches = 0;
    answer = (request, response) => {
      const query = new URL(request.url ?? '', 'http://x').searchParams;
      if (query.get('watch') === null) {
        asked.push('list');
        json(response, 200, {
          items: [configMap('listed', 50)],
          metadata: { resourceVersion: asked.filter((a) => a === 'list').length === 1 ? '50' : '80' },
        });
        return;
      }
      asked.push(query.get('resourceVersion') ?? '');
      response.writeHead(200, { 'content-type': 'application/json' });
      switch (++watches) {
        case 1: // two changes in one chunk that also cuts a third in half; then a good end
          response.write(
            line('ADDED', configMap('a', 51)) + line('BOOKMARK', configMap('', 55)) + line('MODIFIED', configMap('b', 56)).slice(0, 20),
          );
          setTimeout(() => {
            response.end(line('MODIFIED', configMap('b', 56)).slice(20));
          }, 30);
          return;
        case 2: // cut in the middle
          response.write(line('DELETED', configMap('a', 57)));
          setTimeout(() => {
            request.socket.destroy();
          }, 30);
          return;
        case 3:
          response.end(line('ERROR', status(410, 'too old resource version', 'Expired')));
          return;
        default:
          response.write(line('ADDED', configMap('last', 81)));
      }
    };
    const c = await connect();
    const changes: string[] = [];
    const stop = new AbortController();
    for await (const change of c.watch(KINDS.ConfigMap, { namespace: 'd', signal: stop.signal })) {
      changes.push(describeChange(change));
      if (changes.at(-1) === 'put last') stop.abort();
    }
    expect(changes).toEqual(['reset listed', 'put a', 'put b', 'gone a', 'reset listed', 'put last']);
    expect(asked).toEqual(['list', '50', '56', '57', 'list', '80']);
  });

  it('says that the connection is lost and back', async () => {
    let refused = 0;
    answer = (request, response) => {
      if (++refused <= 3) request.socket.destroy();
      else response.writeHead(200).write(`${JSON.stringify({ type: 'ADDED', object: configMap('a', 2) })}\n`);
    };
    const c = await connect();
    const changes: string[] = [];
    const stop = new AbortController();
    for await (const change of c.watch(KINDS.ConfigMap, { namespace: 'd', resourceVersion: '1', signal: stop.signal })) {
      changes.push(change.type);
      if (change.type === 'put') stop.abort();
    }
    expect(changes).toEqual(['lost', 'back', 'put']);
  });

  it('ends a watch that will never be allowed', async () => {
    answer = (_, response) => {
      json(
        response,
        403,
        status(403, 'x is forbidden: User "u" cannot watch resource "configmaps" in API group "" in the namespace "d"', 'Forbidden'),
      );
    };
    const c = await connect();
    await expect(
      (async () => {
        for await (const _ of c.watch(KINDS.ConfigMap, { namespace: 'd', resourceVersion: '1', signal: abort.signal }))
          throw new Error('nothing was expected');
      })(),
    ).rejects.toThrow('may not watch configmaps');
  });

  it('goes through the proxy of the environment, spares NO_PROXY, and trusts the CA of the kubeconfig only', async () => {
    answer = (_, response) => {
      json(response, 200, configMap('x', 1));
    };
    const proxy = await startProxy();
    const secure = await startSecureFront(address());
    try {
      const through = await connect({ url: secure.url, ca: secure.caFile, env: { HTTPS_PROXY: proxy.url } });
      expect((await through.get(KINDS.ConfigMap, 'd', 'x'))?.metadata.name).toBe('x');
      expect(proxy.seen).toEqual([`CONNECT localhost:${secure.port}`]);
      await through.close();
      const spared = await connect({ url: secure.url, ca: secure.caFile, env: { HTTPS_PROXY: proxy.url, NO_PROXY: 'localhost' } });
      await spared.get(KINDS.ConfigMap, 'd', 'x');
      expect(proxy.seen).toHaveLength(1);
      await spared.close();
      const distrusting = await connect({ url: secure.url });
      await expect(distrusting.get(KINDS.ConfigMap, 'd', 'x')).rejects.toThrow(
        /the TLS connection to https:\/\/localhost:\d+ \(context 'lab'\) fails/,
      );
    } finally {
      await proxy.stop();
      await secure.stop();
    }
  });

  it('says every request with RUNNER_DEBUG', async () => {
    answer = (_, response) => {
      json(response, 200, configMap('x', 1));
    };
    await (await connect()).get(KINDS.ConfigMap, 'd', 'x');
    expect(log.lines.join('\n')).toMatch(/debug kubernetes: GET \/api\/v1\/namespaces\/d\/configmaps\/x → 200 \(\d+ ms\)/);
  });
});

function describeChange(change: Change): string {
  if (change.type === 'reset') return `reset ${change.items.map((o) => o.metadata.name).join(',')}`;
  return change.type === 'put' || change.type === 'gone' ? `${change.type} ${change.object.metadata.name}` : change.type;
}
