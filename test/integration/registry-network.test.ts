/** push-to-registry and mark-for-deployment behind an HTTP proxy, and with a registry whose certificate a private CA signed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runBundle, type BundleRun } from '../support/runner.ts';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';

/** The bundle, as the runner runs it; `PAASTA_TEST_SOURCES=1` runs the sources instead, which need no build. */
const ENTRY = join(
  dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
  ...(process.env['PAASTA_TEST_SOURCES'] === '1'
    ? ['src', 'mark-for-deployment', 'index.ts']
    : ['dist', 'mark-for-deployment', 'index.js']),
);
const DIGEST = `sha256:${'d'.repeat(64)}`;

let scratch: string;
let github: GitHubDouble;
let repository: DoubleRepository;
let registry: https.Server;
let registryHost: string;
let proxy: http.Server;
let proxyUrl: string;
/** What went through the proxy: `CONNECT host:port`, `GET http://…`. */
const through: string[] = [];

const listen = (server: net.Server): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: scratch, stdio: 'pipe' });
function mark(inputs: Record<string, string>, env: Record<string, string>): Promise<BundleRun> {
  return runBundle('mark-for-deployment', {
    entry: ENTRY,
    inputs: {
      service: 'web',
      'deploy-group': 'prod.main',
      commit: repository.firstCommit,
      registry: registryHost,
      'soa-dir': join(scratch, 'soa'),
      'system-config-dir': join(scratch, 'system'),
      'github-token': github.addToken(),
      ...inputs,
    },
    env: { GITHUB_REPOSITORY: 'acme/web', GITHUB_EVENT_NAME: 'push', GITHUB_API_URL: github.apiUrl, GITHUB_SERVER_URL: github.url, ...env },
  });
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'paasta-network-'));
  mkdirSync(join(scratch, 'soa', 'web'), { recursive: true });
  mkdirSync(join(scratch, 'system'));
  writeFileSync(join(scratch, 'system', 'a.json'), '{"clusters": ["prod"]}');
  writeFileSync(join(scratch, 'soa', 'web', 'kubernetes-prod.yaml'), 'main: {}\n');
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=private CA');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=registry');
  writeFileSync(join(scratch, 'san'), 'subjectAltName=IP:127.0.0.1');
  openssl(
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-CA',
    'ca.pem',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'server.pem',
    '-days',
    '2',
    '-extfile',
    'san',
  );
  registry = https.createServer(
    { key: readFileSync(join(scratch, 'server.key')), cert: readFileSync(join(scratch, 'server.pem')) },
    (_, response) => {
      response.writeHead(200, { 'docker-content-digest': DIGEST, 'content-type': 'application/vnd.oci.image.manifest.v1+json' }).end();
    },
  );
  registryHost = `127.0.0.1:${String(await listen(registry))}`;
  proxy = http.createServer((request, response) => {
    through.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const target = new URL(request.url ?? '');
    request.pipe(
      http.request(
        {
          hostname: target.hostname,
          port: target.port,
          path: `${target.pathname}${target.search}`,
          method: request.method ?? 'GET',
          headers: request.headers,
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(response);
        },
      ),
    );
  });
  proxy.on('connect', (request: http.IncomingMessage, client: net.Socket, head: Buffer) => {
    through.push(`CONNECT ${request.url ?? ''}`);
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const server = net.connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      server.write(head);
      server.pipe(client).pipe(server);
    });
    server.on('error', () => client.destroy());
    client.on('error', () => server.destroy());
  });
  proxyUrl = `http://127.0.0.1:${String(await listen(proxy))}`;
  github = await startGitHub();
});
afterAll(async () => {
  await github.stop();
  for (const server of [registry, proxy]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  through.length = 0;
  repository = await github.createRepository('acme', 'web', { files: { a: 'a' } });
});

describe('a registry with a private CA', () => {
  it('is refused without the CA, and says how to give it', async () => {
    const result = await mark({ 'dry-run': 'true' }, {});
    expect(result.code).toBe(1);
    expect(result.text).toContain('REGISTRY_CERTIFICATE');
    expect(result.text).toContain('NODE_EXTRA_CA_CERTS');
  });

  it('is not talked to over plain HTTP because of that, even when plain HTTP is allowed', async () => {
    const result = await mark({ 'dry-run': 'true', 'insecure-registry': 'true' }, {});
    expect(result.code).toBe(1);
    expect(result.text).toContain('REGISTRY_CERTIFICATE');
  });

  it('is trusted with the CA, also through a proxy, by which GitHub is reached, too', async () => {
    const direct = await mark({ 'dry-run': 'true' }, { NODE_EXTRA_CA_CERTS: join(scratch, 'ca.pem') });
    expect(direct.code).toBe(0);
    expect(through).toEqual([]);
    const result = await mark({}, { NODE_EXTRA_CA_CERTS: join(scratch, 'ca.pem'), HTTPS_PROXY: proxyUrl, HTTP_PROXY: proxyUrl });
    expect(result).toMatchObject({ code: 0, outputs: { marked: 'true' } });
    expect(through).toContain(`CONNECT ${registryHost}`);
    expect(
      through.some(
        (line) =>
          line.startsWith(`CONNECT ${new URL(github.url).host}`) || line.startsWith(`POST ${github.apiUrl}/repos/acme/web/git/refs`),
      ),
    ).toBe(true);
  });

  it('is reached directly when NO_PROXY names it', async () => {
    const result = await mark(
      { 'dry-run': 'true' },
      { NODE_EXTRA_CA_CERTS: join(scratch, 'ca.pem'), HTTPS_PROXY: proxyUrl, HTTP_PROXY: proxyUrl, NO_PROXY: '127.0.0.1' },
    );
    expect(result.code).toBe(0);
    expect(through).toEqual([]);
  });

  it('through a proxy that does not answer is explained', async () => {
    const result = await mark(
      { 'dry-run': 'true' },
      { NODE_EXTRA_CA_CERTS: join(scratch, 'ca.pem'), HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '' },
    );
    expect(result.code).toBe(1);
    expect(result.text).toContain('REGISTRY_UNREACHABLE');
    expect(result.text).toContain('HTTPS_PROXY');
  });
});
