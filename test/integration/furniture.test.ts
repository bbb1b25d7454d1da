/**
 * What deploy puts into a new namespace and makes of tron files, on a real API server, with the rights that docs/rbac.md names: it is accepted, seen as it is the next time (a second
 * pass writes nothing), and put back when somebody changes it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import { leastRights } from '../support/limited.ts';
import { auditCounts, auditMark, startCluster, type Cluster } from '../testbed/index.ts';

const TRON = `nightly:
  schedule: cron 30 2 * * 1-5
  time_zone: UTC
  deploy_group: prod
  actions:
    fetch: {command: ./fetch}
    report: {command: ./report, requires: [fetch], cpus: 0.5}
fanned:
  schedule: daily
  deploy_group: prod
  actions:
    a: {command: a}
    b: {command: b, requires: [a]}
    c: {command: c, requires: [a]}
`;

describe('namespaces and scheduled jobs', () => {
  let cluster: Cluster;
  let scene: Scene;
  const rights = mkdtempSync(join(tmpdir(), 'paasta-furniture-'));
  const get = async (...args: readonly string[]): Promise<string> => cluster.must(['get', ...args]);
  /** Writes that the server counted while something ran. */
  const writesOf = async (): Promise<readonly string[]> => {
    const from = auditMark(cluster.auditLogPath);
    const ran = await scene.deploy();
    expect({ code: ran.code, said: ran.code === 0 ? '' : ran.text }).toEqual({ code: 0, said: '' });
    return auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written;
  };

  beforeAll(async () => {
    cluster = await startCluster({ name: `furniture-${process.pid}` });
    scene = createScene({ kubeconfigPath: await leastRights(cluster, rights, ['plan', 'apply', 'namespaces', 'cronjobs']) });
    scene.system({
      image_pull_secrets: ['regcred'],
      namespace_role_bindings: [{ name: 'viewers', cluster_role: 'view', users: ['somebody'], service_accounts: ['ci/deployer'] }],
      startup_probe: true,
      tron_cronjobs: true,
    });
    scene.write('web/kubernetes-lab.yaml', `main: ${worker('healthcheck_mode: http')}\n`);
    scene.write('web/tron-lab.yaml', TRON.slice(0, TRON.indexOf('fanned:')));
    scene.mark('web', { prod: sha('a') });
    await cluster.must(['label', 'nodes', '--all', 'yelp.com/pool=default']);
    await cluster.must(['create', 'namespace', 'paasta']);
    await cluster.must([
      'create',
      'secret',
      'docker-registry',
      'regcred',
      '-n',
      'paasta',
      '--docker-server=registry.invalid',
      '--docker-username=u',
      '--docker-password=hidden-password-1',
    ]);
  });
  afterAll(async () => {
    scene?.remove();
    await cluster?.stop();
    rmSync(rights, { recursive: true });
  });

  it('a plan tells of them and shows no content of a secret', async () => {
    const ran = await scene.deploy({ mode: 'plan' });
    expect(ran.text).toMatch(/\+ LimitRange paastasvc-web\/limit-mem-cpu-disk-per-container/);
    expect(ran.text).toMatch(/\+ RoleBinding paastasvc-web\/viewers/);
    expect(ran.text).toMatch(/\+ Secret paastasvc-web\/regcred/);
    expect(ran.text).toMatch(/\+ CronJob tron\/web-nightly/);
    expect(ran.text + ran.summary + JSON.stringify(ran.outputs)).not.toContain('hidden-password');
  });

  it('a deploy makes them, and the next one writes nothing', async () => {
    const first = await scene.deploy();
    expect({ code: first.code, problems: first.code === 0 ? '' : first.text }).toEqual({ code: 0, problems: '' });
    expect(await get('secret', 'regcred', '-n', 'paastasvc-web', '-o', 'jsonpath={.type} {.metadata.annotations}')).toBe(
      'kubernetes.io/dockerconfigjson {"paasta-actions/copy-of":"paasta/regcred"}',
    );
    expect(await get('secret', 'regcred', '-n', 'paastasvc-web', '-o', 'jsonpath={.data}')).toBe(
      await get('secret', 'regcred', '-n', 'paasta', '-o', 'jsonpath={.data}'),
    );
    expect(await get('rolebinding', 'viewers', '-n', 'paastasvc-web', '-o', 'jsonpath={.roleRef.name} {.subjects[*].name}')).toBe(
      'view somebody deployer',
    );
    expect(
      await get(
        'cronjob',
        'web-nightly',
        '-n',
        'tron',
        '-o',
        'jsonpath={.spec.schedule} {.spec.timeZone} {.spec.jobTemplate.spec.template.spec.initContainers[*].name} {.spec.jobTemplate.spec.template.spec.containers[*].name}',
      ),
    ).toBe('30 2 * * 1-5 UTC fetch report');
    expect(await writesOf()).toEqual([]);
  });

  it('a run of the CronJob is not taken for an instance', async () => {
    await cluster.must(['create', 'job', 'by-hand', '--from=cronjob/web-nightly', '-n', 'tron']);
    expect(await writesOf()).toEqual([]);
  });

  it('a new secret reaches the copies, an edit of one of them is put back', async () => {
    await cluster.must([
      'patch',
      'secret',
      'regcred',
      '-n',
      'paastasvc-web',
      '--type=merge',
      '-p',
      '{"data":{".dockerconfigjson":"e30="}}',
    ]);
    expect((await scene.deploy()).text).toContain('Secret paastasvc-web/regcred');
    const both = async (): Promise<readonly string[]> => [
      await get('secret', 'regcred', '-n', 'paastasvc-web', '-o', 'jsonpath={.data}'),
      await get('secret', 'regcred', '-n', 'paasta', '-o', 'jsonpath={.data}'),
    ];
    const [copy, original] = await both();
    expect(copy).toBe(original);
    expect(await writesOf()).toEqual([]);
  });

  it('an edit by hand of a CronJob and of a LimitRange is put back with the next change', async () => {
    await cluster.must(['patch', 'cronjob', 'web-nightly', '-n', 'tron', '--type=merge', '-p', '{"spec":{"schedule":"0 0 * * *"}}']);
    await cluster.must([
      'patch',
      'limitrange',
      'limit-mem-cpu-disk-per-container',
      '-n',
      'paastasvc-web',
      '--type=merge',
      '-p',
      '{"spec":{"limits":[{"type":"Container","default":{"cpu":"9"}}]}}',
    ]);
    scene.mark('web', { prod: sha('b') });
    expect((await scene.deploy()).code).toBe(0);
    expect(await get('cronjob', 'web-nightly', '-n', 'tron', '-o', 'jsonpath={.spec.schedule}')).toBe('30 2 * * 1-5');
    expect(
      await get('limitrange', 'limit-mem-cpu-disk-per-container', '-n', 'paastasvc-web', '-o', 'jsonpath={.spec.limits[0].default.cpu}'),
    ).toBe('1');
    expect(
      await get('cronjob', 'web-nightly', '-n', 'tron', '-o', 'jsonpath={.spec.jobTemplate.spec.template.spec.containers[0].image}'),
    ).toContain(sha('b'));
    expect(await writesOf()).toEqual([]);
  });

  it('a job that is no line of actions fails the run with its line; everything else is done', async () => {
    scene.write('web/tron-lab.yaml', TRON);
    const ran = await scene.deploy();
    expect(ran.code).toBe(1);
    expect(ran.text).toMatch(
      /::error title=[^,]*TRON_NOT_A_LINE,file=soa-configs\/web\/tron-lab\.yaml,line=14.*actions 'b' and 'c' both require 'a'; a CronJob runs a single line of actions/,
    );
    expect(await get('cronjob', '-n', 'tron', '-o', 'name')).toBe('cronjob.batch/web-nightly');
  });

  it('without the switch tron files are left to Tron: one line, no request', async () => {
    scene.system({ image_pull_secrets: ['regcred'] });
    const ran = await scene.deploy();
    expect(ran.code).toBe(0);
    expect(ran.text.split('\n').filter((line) => line.includes('left to Tron'))).toHaveLength(1);
    expect(await get('cronjob', '-n', 'tron', '-o', 'name')).toBe('cronjob.batch/web-nightly');
  });
});
