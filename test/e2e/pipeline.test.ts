/** The public workflow through act, and PaaSTA's three-command script: both end with running pods of the new commit. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { publish, runAct } from '../support/act.ts';
import { describeWith, root } from '../support/requirements.ts';
import { filesOf, startWorld, type World } from '../support/world.ts';
import { ensureTool } from '../testbed/index.ts';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const exec = promisify(execFile);
const NAMESPACE = 'paastasvc-hello';

interface PodList {
  items: {
    metadata: { name: string; labels: Record<string, string>; deletionTimestamp?: string };
    spec: { containers: { name: string; image: string; env?: { name: string; value?: string }[] }[] };
    status: { containerStatuses?: { imageID: string; ready: boolean }[] };
  }[];
}

describeWith([root()], 'a service from commit to running pods', () => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld({
      name: `e2e-${process.pid}`,
      size: 'full',
      log: (line) => {
        process.stderr.write(`${line}\n`);
      },
    });
  });
  afterAll(async () => {
    await world.stop();
  });

  async function pods(instance: string): Promise<PodList['items']> {
    const list = JSON.parse(
      await world.kubectl('get', 'pods', '-n', NAMESPACE, '-l', `paasta.yelp.com/instance=${instance}`, '-o', 'json'),
    ) as PodList;
    return list.items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
  }

  it('runs the three commands of the getting-started guide as they are, and paasta deploy after them', async () => {
    const sha = await world.commit({ NOTES: 'script\n' }, 'For the script');
    const script = `
      set -e
      service=hello
      sha=$(git rev-parse HEAD)
      paasta itest --service $service --commit $sha
      paasta push-to-registry --service $service --commit $sha
      paasta mark-for-deployment --git-url ${world.repository.bareDir} --commit $sha --deploy-group prod.main --service $service
      paasta deploy --service $service --cluster prod --deploy-group prod.main --git-url ${world.repository.bareDir} --kubeconfig ${world.cluster.kubeconfigPath}
    `;
    const run = await exec('bash', ['-c', `paasta() { node ${join(ROOT, 'bin', 'paasta.mjs')} "$@"; }\n${script}`], {
      cwd: world.checkout,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...world.env,
        PAASTA_SOA_DIR: world.soaDir,
        PAASTA_SYSTEM_CONFIG_DIR: world.systemConfigDir,
      },
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(run.stdout).toContain(`services-hello:paasta-${sha}`);
    expect(Object.keys(await world.repository.tags()).some((tag) => /^paasta-prod\.main-\d{8}T\d{6}-deploy$/.test(tag))).toBe(true);
    const main = await pods('main');
    expect(main).toHaveLength(3);
    for (const pod of main) expect(pod.metadata.labels['paasta.yelp.com/git_sha']).toBe(sha);
  });

  it('runs the public workflow as a consumer gets it, with docker in the build job only', async () => {
    const act = await ensureTool('act', (line) => {
      process.stderr.write(`${line}\n`);
    });
    await publish(world.github, 'acme/paasta-actions', 'v0');
    await world.github.createRepository('acme', 'soa-configs', {
      files: { ...filesOf(world.soaDir), 'system-config/paasta.json': readFileSync(join(world.systemConfigDir, 'paasta.json'), 'utf8') },
    });
    const caller = readFileSync(join(ROOT, 'examples', 'workflows', 'deploy.yml'), 'utf8')
      .replaceAll('OWNER/', 'acme/')
      .replace(/@v1 .*$/m, '@v0')
      .replace('cluster: prod,', 'cluster: prod, deploy-stability-window: 0s,');
    const sha = await world.commit({ NOTES: 'workflow\n' }, 'For the workflow');
    const { mkdir, writeFile } = await import('node:fs/promises');
    await mkdir(join(world.checkout, '.github', 'workflows'), { recursive: true });
    await writeFile(join(world.checkout, '.github', 'workflows', 'deploy.yml'), caller);
    const options = {
      act,
      github: world.github,
      directory: world.checkout,
      repository: 'acme/hello',
      workflow: '.github/workflows/deploy.yml',
      token: world.token,
      secrets: {
        REGISTRY_USERNAME: world.registry.user,
        REGISTRY_PASSWORD: world.registry.password,
        KUBECONFIG: readFileSync(world.cluster.kubeconfigPath, 'utf8'),
      },
      env: Object.fromEntries(Object.entries(world.env).filter(([name]) => name !== 'PATH' && name !== 'DOCKER_CONFIG')),
      path: world.path,
      docker: world.docker.dockerPath,
    };
    const repository = { full_name: 'acme/hello', name: 'hello', owner: { login: 'acme' }, default_branch: 'main' };

    const pull = await runAct({
      ...options,
      event: 'pull_request',
      payload: { pull_request: { number: 1, head: { ref: 'topic', sha }, base: { ref: 'main' } }, repository },
      secrets: {},
    });
    expect(pull.text).toContain('itest only');
    expect(pull.jobs).toEqual({ build: 'success' });
    expect(pull.code).toBe(0);

    const tags = Object.keys(await world.repository.tags());
    const bot = await runAct({
      ...options,
      event: 'push',
      actor: 'dependabot[bot]',
      payload: { ref: 'refs/heads/dependabot/x', after: sha, repository },
      secrets: {},
    });
    expect(bot.text).toContain('push by dependabot[bot]: itest only. Nothing is pushed, marked or deployed.');
    expect(bot.jobs).toEqual({ build: 'success' });
    // a caller that asks for foreign code with credentials
    await writeFile(
      join(world.checkout, '.github', 'workflows', 'foreign.yml'),
      caller.replace('pull_request: {}', 'pull_request_target: {}'),
    );
    const foreign = await runAct({
      ...options,
      workflow: '.github/workflows/foreign.yml',
      event: 'pull_request_target',
      payload: { pull_request: { number: 1, head: { ref: 'topic', sha }, base: { ref: 'main' } }, repository },
    });
    expect(foreign.text).toContain("pull_request_target runs foreign code with this repository's credentials");
    expect(foreign.jobs).toEqual({ build: 'failure' });
    expect(Object.keys(await world.repository.tags())).toEqual(tags);

    const push = await runAct({ ...options, event: 'push', payload: { ref: 'refs/heads/main', after: sha, repository } });
    if (push.code !== 0) process.stderr.write(push.text);
    expect(push.jobs).toEqual({ build: 'success', mark: 'success', deploy: 'success' });
    expect(push.code).toBe(0);
    expect(push.text).not.toContain(world.registry.password);
    // neither the pull request nor the bot had pushed it
    expect(push.text).toMatch(/docker push \S+services-hello:paasta-/);

    const main = await pods('main');
    expect(main).toHaveLength(3);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(push.text)?.[1] ?? 'no digest was printed';
    for (const pod of main) {
      expect(pod.metadata.labels).toMatchObject({
        'paasta.yelp.com/service': 'hello',
        'paasta.yelp.com/instance': 'main',
        'paasta.yelp.com/git_sha': sha,
        'paasta.yelp.com/cluster': 'prod',
        'paasta.yelp.com/deploy_group': 'prod.main',
        'paasta.yelp.com/managed': 'true',
      });
      expect(pod.spec.containers[0]?.image).toBe(`${world.registry.host}/team/services-hello:paasta-${sha}@${digest}`);
      expect(pod.status.containerStatuses?.[0]?.imageID).toContain(digest);
      const env = Object.fromEntries((pod.spec.containers[0]?.env ?? []).map((e) => [e.name, e.value]));
      expect(env).toMatchObject({
        PAASTA_SERVICE: 'hello',
        PAASTA_INSTANCE: 'main',
        PAASTA_DEPLOY_GROUP: 'prod.main',
        PAASTA_GIT_SHA: sha.slice(0, 8),
        GREETING: 'good day',
      });
    }
    const [deployment] = world.github.repository('acme', 'hello').state.deployments;
    expect(deployment).toMatchObject({ environment: 'prod.main', sha });
  });
});
