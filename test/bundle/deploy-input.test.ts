/** Bad input of deploy, through the committed bundle: what is printed, the exit code, and that nobody was asked. No cluster is needed. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { holdClosedPort } from '../support/closed-port.ts';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import type { BundleOptions, BundleRun } from '../support/runner.ts';

const ENTRY = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist', 'deploy', 'index.js');
const TOKEN = 'kubeconfig-token-0123456789';

/** A kubeconfig for an address, with two contexts. */
const kubeconfig = (server: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'prod-admin',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: TOKEN } }],
    contexts: ['prod-admin', 'prod-reader'].map((name) => ({ name, context: { cluster: 'c', user: 'u' } })),
  });

describe('bad input of deploy', () => {
  let scene: Scene;
  let asked = 0;
  let server: net.Server;
  let address: string;
  const deploy = (inputs: Readonly<Record<string, string>> = {}, options: BundleOptions = {}): Promise<BundleRun> =>
    scene.deploy(inputs, { entry: ENTRY, ...options });

  beforeAll(async () => {
    server = net.createServer((socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    address = `https://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
  });
  beforeEach(() => {
    asked = 0;
    scene = createScene({ kubeconfigPath: 'kubeconfig' });
    writeFileSync(join(scene.directory, 'kubeconfig'), kubeconfig(address));
    scene.write('web/kubernetes-lab.yaml', `main: ${worker()}\ncanary: ${worker()}\n`);
    scene.write('web/kubernetes-elsewhere.yaml', `far: ${worker()}\n`);
    scene.write('web/deploy.yaml', 'pipeline: [{step: itest}, {step: prod}, {step: stage}]\n');
    scene.mark('web', { prod: sha('a') });
  });
  afterEach(() => {
    scene.remove();
  });

  it.each([
    [
      { cluster: 'laab' },
      'UNKNOWN_CLUSTER',
      "cluster 'laab' is not in the system configuration",
      "did you mean 'lab'? known: elsewhere, lab",
    ],
    [{ service: 'wbe' }, 'UNKNOWN_SERVICE', "service 'wbe' is not in soa-configs", "did you mean 'web'? known: web"],
    [
      { service: 'web', instance: 'mian' },
      'UNKNOWN_INSTANCE',
      "instance 'mian' is not declared by web in cluster 'lab'",
      "did you mean 'main'? known: canary, main",
    ],
    [
      { service: 'web', instance: 'far' },
      'UNKNOWN_INSTANCE',
      "instance 'far' is not declared by web in cluster 'lab'",
      'it is declared for elsewhere',
    ],
    [
      { service: 'web', 'deploy-group': 'prd' },
      'UNKNOWN_DEPLOY_GROUP',
      "deploy group 'prd' is not declared by web",
      "did you mean 'prod'? known: prod, stage",
    ],
  ])('%j: the near names, exit 1, and the cluster is not asked', async (inputs, code, message, hint) => {
    const run = await deploy(inputs);
    expect(run.text).toContain(`${code}::${message}%0A  next: ${hint}`);
    expect(run.summary).toContain(`\`${code}\``);
    expect(run.code).toBe(1);
    expect(asked).toBe(0);
  });

  it('tells an unknown instance and an unknown group together', async () => {
    const run = await deploy({ service: 'web', instance: 'mian,canry,main', 'deploy-group': 'prd' });
    expect(run.text).toContain("instance 'mian'");
    expect(run.text).toContain("did you mean 'canary'?");
    expect(run.text).toContain("deploy group 'prd'");
    expect(run.text.match(/^::error/gm)).toHaveLength(3);
  });

  it('tells everything that is wrong with the inputs at once', async () => {
    const run = await deploy({
      mode: 'aply',
      timeout: '5 parsecs',
      'dry-run': 'yes',
      'deployment-id': '0',
      'github-api-url': 'api',
      service: 'Web',
      adopt: '1',
      timout: '5m',
    });
    expect(run.code).toBe(1);
    expect(run.text).toContain("mode: 'aply' is not known%0A  next: did you mean 'apply'? legal values: plan, apply, wait");
    expect(run.text).toMatch(/::error.*timeout.*5 parsecs/);
    expect(run.text).toContain("dry-run: 'yes' is neither true nor false");
    expect(run.text).toContain("deployment-id: '0' is not a whole number of at least 1");
    expect(run.text).toMatch(/::error.*github-api-url: 'api' is not an http\(s\) address/);
    expect(run.text).toContain("service: 'Web' is not a service name");
    expect(run.text).toContain("adopt: '1' is neither true nor false");
    expect(run.text).toContain("timout: there is no such input%0A  next: did you mean 'timeout'?");
    expect(run.text.match(/^::error/gm)).toHaveLength(8);
    expect(run.outputs).toEqual({});
    expect(asked).toBe(0);
  });

  it('tells every contradiction between inputs', async () => {
    const run = await deploy({
      mode: 'wait',
      adopt: 'true',
      instance: 'main',
      'git-url': 'https://example.com/acme/web.git',
      'registry-password': 'hunter2-hunter2',
    });
    expect(run.code).toBe(1);
    expect(run.text).toContain('instance names an instance of a service, but no service is given');
    expect(run.text).toContain('git-url is the repository of one service, but no service is given');
    expect(run.text).toContain('mode: wait writes nothing: adopt has no meaning with it');
    expect(run.text).toContain('registry-username is missing beside registry-password');
    expect(run.text).toContain('::add-mask::hunter2-hunter2');
    expect(run.text.replaceAll('::add-mask::hunter2-hunter2', '')).not.toContain('hunter2');
  });

  it.each([
    ['a shell command', '$(touch pwned)`touch pwned`;touch pwned'],
    ['line ends and a workflow command', 'web\n::error::forged\n::set-output name=changed::true'],
    ['a path out of the tree', '../../etc'],
    ['an option', '--upload-pack=touch pwned'],
    ['markup', '<img src=x onerror=1>|`'],
  ])('takes no name for more than a name: %s', async (_, payload) => {
    const names = ['service', 'instance', 'deploy-group', 'cluster', 'git-url', 'registry'];
    const run = await deploy(Object.fromEntries([...names, 'mode'].map((name) => [name, payload])));
    expect(run.code).toBe(1);
    // a path is a git address like any other
    for (const name of names.filter((n) => n !== 'git-url' || payload !== '../../etc'))
      expect(run.text).toMatch(new RegExp(`^::error .*::${name}: `, 'm'));
    expect(run.text).not.toMatch(/^::(?:error::forged|set-output)/m);
    expect(run.text).toMatch(/^::error .*::mode: /m);
    expect(run.summary).not.toContain('<img');
    expect(run.outputs).toEqual({});
    expect(existsSync(join(scene.directory, 'pwned'))).toBe(false);
    expect(asked).toBe(0);
  });

  it.each(['ext::sh -c touch% pwned', 'ext::sh', '-oProxyCommand=touch'])('takes no git address that starts a program: %s', async (url) => {
    const run = await deploy({ service: 'web', 'git-url': url });
    expect(run.text).toMatch(/git-url: .*is not a git address/);
    expect(run.code).toBe(1);
  });

  it('never takes the kubeconfig of the environment by itself', async () => {
    const env = { KUBECONFIG: join(scene.directory, 'kubeconfig') };
    const run = await deploy({ kubeconfig: '' }, { env });
    expect(run.text).toContain('KUBECONFIG_REQUIRED::kubeconfig: it is not said how to reach the cluster');
    expect(run.text).toContain('an ambient KUBECONFIG is never used by itself');
    expect(run.code).toBe(1);
    expect(asked).toBe(0);
  });

  it.each([
    [{ kubeconfig: 'kubconfig' }, /KUBECONFIG_INVALID::kubeconfig \S*kubconfig does not exist/],
    [{ 'kube-context': 'prod-admn' }, /KUBE_CONTEXT_UNKNOWN::.* has no context 'prod-admn'%0A {2}next: did you mean 'prod-admin'/],
    [{ 'kube-context': 'a\n::error::b' }, /BAD_INPUT::kube-context: a context name has no control characters/],
    [{ kubeconfig: '{"clusters": ' }, /KUBECONFIG_INVALID::the kubeconfig text cannot be read/],
  ])('%j: says what is wrong with the kubeconfig', async (inputs, said) => {
    const run = await deploy(inputs);
    expect(run.text).toMatch(said);
    expect(run.code).toBe(1);
    expect(asked).toBe(0);
  });

  it('names server and context when the API server is down, tries for some seconds only, and prints no token', async () => {
    const { port, release } = await holdClosedPort();
    const text = kubeconfig(`https://127.0.0.1:${port}`);
    const run = await deploy({ service: 'web', kubeconfig: text.replace('{', '{\n') });
    release();
    expect(run.text).toMatch(
      new RegExp(
        `CLUSTER_UNREACHABLE::cannot reach the API server https://127\\.0\\.0\\.1:${port} \\(context 'prod-admin'\\): .*ECONNREFUSED`,
      ),
    );
    expect(run.text).toContain('check the server and port in the kubeconfig, and that the API server runs');
    expect(run.summary).toContain('CLUSTER_UNREACHABLE');
    expect(run.code).toBe(1);
    expect(run.text).toContain(`::add-mask::${TOKEN}`);
    expect(run.text.replaceAll(`::add-mask::${TOKEN}`, '')).not.toContain(TOKEN);
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s while an API server does not answer: ends with 130', async (signal) => {
    const sockets: net.Socket[] = [];
    const silent = net.createServer((socket) => {
      sockets.push(socket);
    });
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve);
    });
    writeFileSync(join(scene.directory, 'kubeconfig'), kubeconfig(`https://127.0.0.1:${(silent.address() as net.AddressInfo).port}`));
    try {
      const run = await deploy(
        { service: 'web' },
        {
          onStart: (child) => {
            silent.once('connection', () => {
              child.kill(signal);
            });
          },
        },
      );
      expect(run.text).toMatch(/::error .*CANCELLED::paasta-deploy was cancelled/);
      expect(run.code).toBe(130);
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });

  it('empty soa-configs: nothing is deleted, and it says so', async () => {
    mkdirSync(join(scene.directory, 'empty'));
    const run = await deploy({ 'soa-dir': 'empty' });
    expect(run.text).toMatch(/::warning .*EMPTY_SOA_CONFIGS::there is no service in \S*empty: nothing is deployed, and nothing is deleted/);
    expect(run.outputs['changed']).toBe('false');
    expect(run.code).toBe(0);
    expect(asked).toBe(0);
  });

  it('a soa-dir that does not exist is an error, not an empty tree', async () => {
    const run = await deploy({ 'soa-dir': 'soa-confgs' });
    expect(run.text).toMatch(/::error .*SOA_DIR_MISSING::soa-dir: \S*soa-confgs is not a directory/);
    expect(run.code).toBe(1);
    expect(asked).toBe(0);
  });

  it('a system configuration that does not exist is an error: every cluster name would pass', async () => {
    const run = await deploy({ 'system-config-dir': 'sytem' });
    expect(run.text).toMatch(/::error .*NO_CLUSTERS::there is no system configuration in \S*sytem/);
    expect(run.code).toBe(1);
  });

  it('a broken system configuration is named with its line', async () => {
    writeFileSync(join(scene.systemDir, 'broken.json'), '{\n  "clusters": ["lab",\n}\n');
    const run = await deploy();
    expect(run.text).toMatch(/::error .*file=[^,]*broken\.json,line=\d+/);
    expect(run.code).toBe(1);
    expect(asked).toBe(0);
  });
});
