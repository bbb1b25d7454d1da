/** Deploy with GitHub: marks read through the API, and what the GitHub Deployment is told. Pods are played by a fake node. */
import { auditMark, auditCounts, startCluster, type Cluster } from '../testbed/index.ts';
import { startGitHub, type DoubleRepository, type GitHubDouble } from '../testbed/github/index.ts';
import { createScene, worker, type Scene } from '../support/deploy-scene.ts';
import type { BundleRun } from '../support/runner.ts';

describe('deploy and GitHub', () => {
  let cluster: Cluster;
  let github: GitHubDouble;
  let repository: DoubleRepository;
  let scene: Scene;
  let token: string;
  let service: string;
  let counter = 0;
  beforeAll(async () => {
    cluster = await startCluster({ name: `dgh-${process.pid}`, log: () => undefined });
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    github = await startGitHub();
  });
  afterAll(async () => {
    await github.stop();
    await cluster.stop();
  });
  beforeEach(async () => {
    github.reset();
    cluster.setFakeRules([]);
    scene = createScene(cluster);
    service = `web${++counter}`;
    scene.write(`${service}/kubernetes-lab.yaml`, `main: ${worker()}\n`);
    repository = await github.createRepository('acme', service, { files: { 'a.txt': 'a' } });
    token = github.addToken({ permissions: { contents: 'read', deployments: 'write', metadata: 'read' } });
  });
  afterEach(() => {
    scene.remove();
    expect(github.violations()).toEqual([]);
  });

  const deploy = (inputs: Record<string, string> = {}, withToken = token): Promise<BundleRun> =>
    scene.deploy(
      { service, 'deploy-group': 'prod', 'github-token': withToken, ...inputs },
      { env: { GITHUB_API_URL: github.apiUrl, GITHUB_SERVER_URL: github.url, GITHUB_REPOSITORY: `acme/${service}`, GITHUB_RUN_ID: '77' } },
    );
  /** A mark and its deployment, as mark-for-deployment makes them. */
  async function mark(sha: string, stamp: string): Promise<number> {
    const call = async (path: string, body: object): Promise<{ id: number }> => {
      const writer = github.addToken({ permissions: { contents: 'write', deployments: 'write', metadata: 'read' } });
      const response = await fetch(`${github.apiUrl}/repos/acme/${service}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${writer}`, accept: 'application/vnd.github+json', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as { id: number };
    };
    await call('/git/refs', { ref: `refs/tags/paasta-prod-${stamp}-deploy`, sha });
    return (await call('/deployments', { ref: sha, environment: 'prod', auto_merge: false, required_contexts: [], payload: { service } }))
      .id;
  }
  /** Of all deployments of the service, oldest first. */
  const statuses = (): { state: string; description: string; logUrl: string }[] =>
    repository.state.deployments.flatMap((d) => [...d.statuses].reverse());

  it('deploys the newest mark and tells the deployment that it found: in progress, then success with a link to the run', async () => {
    await mark(repository.firstCommit, '20260101T000000');
    const run = await deploy();
    expect(run.text).toContain('✔ lab: proven');
    expect(statuses().map((s) => s.state)).toEqual(['in_progress', 'success']);
    expect(statuses()[1]).toMatchObject({
      description: `lab: 1 instance of ${repository.firstCommit.slice(0, 8)} running`,
      logUrl: `${github.url}/acme/${service}/actions/runs/77`,
    });
  });

  it('tells the deployment that mark handed over, and the cause of a failure within 140 characters', async () => {
    const commit = await repository.commit({ 'a.txt': 'b' }, 'broken');
    const id = await mark(commit, '20260102T000000');
    cluster.setFakeRules([{ image: `paasta-${commit}`, behaviour: 'crash-loop', 'exit-code': 3, log: 'no' }]);
    const run = await deploy({ 'deployment-id': String(id) });
    expect(run.code).toBe(1);
    const last = statuses().at(-1);
    expect(last?.state).toBe('failure');
    expect(last?.description).toMatch(/^lab: web\d\.main CRASH_LOOP: /);
    expect([...(last?.description ?? '')].length).toBeLessThanOrEqual(140);
  });

  it('tells a deployment of a run that could not even begin', async () => {
    const id = await mark(repository.firstCommit, '20260101T000000');
    const run = await deploy({ 'deployment-id': String(id), 'kube-context': 'nowhere' });
    expect(run.code).toBe(1);
    expect(statuses().map((s) => s.state)).toEqual(['failure']);
  });

  it('deploys without the permission for deployments, and says so once', async () => {
    await mark(repository.firstCommit, '20260101T000000');
    const reader = github.addToken({ permissions: { contents: 'read', metadata: 'read' } });
    const run = await deploy({}, reader);
    expect(run.code).toBe(0);
    expect(run.text).toContain('::warning');
    expect(run.text).toContain('the GitHub Deployment could not be updated');
  });

  it('asks GitHub nothing when deployments.json is there', async () => {
    scene.mark(service, { prod: repository.firstCommit });
    const before = github.requests.length;
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy();
    expect(run.code).toBe(0);
    expect(github.requests.length).toBe(before);
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).total).toBeLessThanOrEqual(25);
  });
});
