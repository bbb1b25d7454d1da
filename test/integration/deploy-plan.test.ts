/** The plan against a real API server: its effect in numbers, what stands in its way, its identity, and the rights that it needs. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { auditCounts, auditMark, type Cluster } from '../testbed/index.ts';
import { onCluster } from '../support/cluster-scene.ts';
import { createScene, sha, worker, type Scene } from '../support/deploy-scene.ts';
import { limitedKubeconfig, RBAC } from '../support/limited.ts';
import type { BundleRun } from '../support/runner.ts';
import { until } from '../support/until.ts';

const NAME = `plan-${process.pid}`;

interface Document {
  schema: string;
  hash: string;
  changes: boolean;
  errors: boolean;
  instances: {
    service: string;
    instance: string;
    action: string;
    reasons: { kind: string; text: string }[];
    effect: {
      surge: number;
      minimum_serving: number;
      usage: { before: Record<string, number>; peak: Record<string, number>; after: Record<string, number> };
      earlier_bounces_seconds: number[];
    };
    problems: { code: string; message: string; severity: string }[];
  }[];
  quotas: { quota: string; resource: string; hard: number; used: number; peak: number; after: number; fits: string }[] | null;
}

describe('a plan of deploy', () => {
  let cluster: Cluster;
  let scene: Scene;
  onCluster(
    NAME,
    (...given) => {
      [cluster, scene] = given;
    },
    async (started) => {
      for (const file of ['plan', 'plan-rehearsal', 'apply', 'side-by-side', 'namespaces'])
        await started.must(['apply', '-f', join(RBAC, `${file}.yaml`)]);
    },
  );

  const deploy = (inputs: Readonly<Record<string, string>>): Promise<BundleRun> => scene.deploy({ 'stability-window': '0s', ...inputs });
  const document = (): Document => JSON.parse(readFileSync(join(scene.directory, 'plan.json'), 'utf8')) as Document;
  const apply = (...objects: object[]): Promise<string> =>
    cluster.must(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
  const version = (namespace: string, what: string): Promise<string> =>
    cluster.must(['-n', namespace, 'get', what, '-o', 'jsonpath={.metadata.resourceVersion}']);

  it('ends with 2 for changes, 0 for none, 1 for an error, and goes into files', async () => {
    scene.write('web/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('web', { prod: sha('a') });
    const changes = await deploy({ service: 'web', mode: 'plan', 'plan-file': 'out/plan.json, plan.json\nplan.md' });
    expect(changes.text).toContain('exit code 2: there are changes');
    expect(changes.code).toBe(2);
    expect(document()).toMatchObject({
      schema: 'paasta-plan/v1',
      cluster: 'lab',
      hash: changes.outputs['plan-hash'],
      changes: true,
      errors: false,
      instances: [{ service: 'web', instance: 'main', action: 'create', effect: { usage: { after: { pods: 2 } } } }],
    });
    expect(readFileSync(join(scene.directory, 'plan.md'), 'utf8')).toContain(
      '| web.main | create | does not exist yet | starts 2 pods<br>pods 0 → 2, cpu 0 → 0.2, memory 0 → 128Mi |',
    );
    expect(readFileSync(join(scene.directory, 'out', 'plan.json'), 'utf8')).toBe(readFileSync(join(scene.directory, 'plan.json'), 'utf8'));
    expect((await deploy({ service: 'web', mode: 'plan', 'dry-run': 'true' })).code).toBe(0);

    expect((await deploy({ service: 'web' })).code).toBe(0);
    const nothing = await deploy({ service: 'web', mode: 'plan', 'plan-file': 'plan.json' });
    expect([nothing.code, nothing.outputs['changed'], document().changes]).toEqual([0, 'false', false]);

    scene.write('web/kubernetes-lab.yaml', 'main: {cpus: 0.1, mem: 64, instances: two, deploy_group: prod}\n');
    expect((await deploy({ service: 'web', mode: 'plan' })).code).toBe(1);
  });

  it('remembers how long bounces took, in one write beside the bounce and none without', async () => {
    scene.write('times/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('times', { prod: sha('a') });
    expect((await deploy({ service: 'times' })).code).toBe(0);
    const annotation = (): Promise<string> =>
      cluster.must([
        '-n',
        'paastasvc-times',
        'get',
        'deploy',
        'times-main',
        '-o',
        'jsonpath={.metadata.annotations.paasta-actions/bounce-seconds}',
      ]);
    expect(await annotation()).toBe('');
    for (const digit of ['b', 'c']) {
      scene.mark('times', { prod: sha(digit) });
      const from = auditMark(cluster.auditLogPath);
      const bounce = await deploy({ service: 'times' });
      expect(bounce.code).toBe(0);
      expect(
        auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written.map((w) =>
          w.replace(/\?.*(fieldManager=[\w-]+).*/, ' $1'),
        ),
      ).toEqual([
        'patch /apis/apps/v1/namespaces/paastasvc-times/deployments/times-main fieldManager=paasta',
        'patch /apis/apps/v1/namespaces/paastasvc-times/deployments/times-main fieldManager=paasta-history',
      ]);
    }
    expect(await annotation()).toMatch(/^\d+ \d+$/);
    const from = auditMark(cluster.auditLogPath);
    expect((await deploy({ service: 'times' })).outputs['changed']).toBe('false');
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    scene.mark('times', { prod: sha('d') });
    const plan = await deploy({ service: 'times', mode: 'plan', 'plan-file': 'plan.json' });
    expect(plan.text).toMatch(/earlier bounces took [\d.]+ s, [\d.]+ s/);
    expect(document().instances[0]?.effect.earlier_bounces_seconds).toHaveLength(2);
  });

  it('says that another way to render is the reason', async () => {
    scene.write('ren/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('ren', { prod: sha('a') });
    expect((await deploy({ service: 'ren' })).code).toBe(0);
    // as a version of ours that hashes otherwise would have left it
    const older = (path: string, value: string): object => ({ op: 'replace', path, value });
    await cluster.must([
      '-n',
      'paastasvc-ren',
      'patch',
      'deploy',
      'ren-main',
      '--type=json',
      '-p',
      JSON.stringify([
        older('/metadata/annotations/paasta-actions~1config-hash-version', '0'),
        older('/metadata/labels/paasta.yelp.com~1config_sha', 'config00000000'),
        older('/metadata/labels/yelp.com~1paasta_config_sha', 'config00000000'),
      ]),
    ]);
    const plan = await deploy({ service: 'ren', mode: 'plan' });
    expect(plan.text).toContain('renderer changed v0 → v1');
    expect(plan.code).toBe(2);
  });

  it('gives the same hash from other directories, in another order of files and keys, under another commit of soa-configs', async () => {
    scene.write('same/kubernetes-lab.yaml', `one: ${worker('env: {A: x, B: y}')}\ntwo: ${worker()}\n`);
    scene.write('also/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.write('same/smartstack.yaml', 'one: {proxy_port: 20301}\n');
    for (const service of ['same', 'also']) scene.mark(service, { prod: sha('a') });
    const first = await deploy({ mode: 'plan' });
    expect(first.code).toBe(2);
    const other = createScene(cluster);
    try {
      other.write('also/kubernetes-lab.yaml', `main: ${worker()}\n`);
      other.mark('also', { prod: sha('a') });
      other.mark('same', { prod: sha('a') });
      other.write('same/smartstack.yaml', 'one: {proxy_port: 20301}\n');
      other.write(
        'same/kubernetes-lab.yaml',
        `# order\ntwo: ${worker()}\none: {env: {A: x, B: y}, cmd: 'true', deploy_group: prod, instances: 2, disk: 64, mem: 64, cpus: 0.1}\n`,
      );
      execFileSync('sh', ['-c', 'git init -q . && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm one'], {
        cwd: other.soaDir,
      });
      const moved = join(other.directory, 'elsewhere');
      renameSync(other.soaDir, moved);
      cpSync(moved, join(other.directory, 'copy'), { recursive: true });
      const second = await other.deploy({ mode: 'plan', 'soa-dir': 'copy' }, { env: { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8' } });
      expect(second.text).toContain('soa-configs: ');
      expect(second.outputs['plan-hash']).toBe(first.outputs['plan-hash']);
    } finally {
      other.remove();
    }
    scene.write('also/kubernetes-lab.yaml', `main: ${worker('env: {LEVEL: debug}')}\n`);
    expect((await deploy({ mode: 'plan' })).outputs['plan-hash']).not.toBe(first.outputs['plan-hash']);
  });

  it("refuses at apply what was approved before somebody else's change, names both hashes and what differs, and writes nothing", async () => {
    scene.write('exp/kubernetes-lab.yaml', `main: ${worker()}\nother: ${worker()}\n`);
    scene.mark('exp', { prod: sha('a') });
    expect((await deploy({ service: 'exp' })).code).toBe(0);
    scene.mark('exp', { prod: sha('b') });
    const approved = await deploy({ service: 'exp', mode: 'plan', 'plan-file': 'plan.json' });
    expect((await deploy({ service: 'exp', mode: 'plan', 'expected-plan': approved.outputs['plan-hash'] ?? '' })).code).toBe(2);

    await cluster.must(['-n', 'paastasvc-exp', 'set', 'env', 'deploy/exp-main', 'PAASTA_SERVICE=evil']);
    const before = await version('paastasvc-exp', 'deploy/exp-other');
    const from = auditMark(cluster.auditLogPath);
    const byHash = await deploy({ service: 'exp', 'expected-plan': approved.outputs['plan-hash'] ?? '' });
    expect(byHash.code).toBe(1);
    expect(byHash.text).toContain(
      `the plan is ${byHash.outputs['plan-hash'] ?? ''}, but ${approved.outputs['plan-hash'] ?? ''} was approved`,
    );
    expect(byHash.outputs['changed']).toBe('false');
    const byFile = await deploy({ service: 'exp', 'expected-plan': 'plan.json' });
    expect(byFile.code).toBe(1);
    expect(byFile.text).toMatch(
      /otherwise: update Deployment paastasvc-exp\/exp-main: was new version aaaaaaaa → bbbbbbbb, is new version aaaaaaaa → bbbbbbbb; drift: containers\[main\]\.env\[PAASTA_SERVICE\]\.value changed by kubectl-set/,
    );
    expect(byFile.text).not.toContain('exp-other:');
    expect(auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' }).written).toEqual([]);
    expect(await version('paastasvc-exp', 'deploy/exp-other')).toBe(before);

    // approved again, it goes through; and once more there is nothing left of it
    const now = await deploy({ service: 'exp', mode: 'plan', 'plan-file': 'now.json' });
    expect((await deploy({ service: 'exp', 'expected-plan': now.outputs['plan-hash'] ?? '' })).code).toBe(0);
    const late = await deploy({ service: 'exp', 'expected-plan': 'now.json' });
    expect(late.code).toBe(1);
    expect(late.text).toContain('no longer: update Deployment paastasvc-exp/exp-main');

    const wrong = await deploy({ service: 'exp', 'expected-plan': 'c0ffee' });
    expect([wrong.code, wrong.text.includes("expected-plan: 'c0ffee' is neither the hash of a plan nor a file that can be read")]).toEqual([
      1,
      true,
    ]);
  });

  it('refuses at apply a plan that another deploy overtook', async () => {
    scene.write('race/kubernetes-lab.yaml', `main: ${worker()}\n`);
    scene.mark('race', { prod: sha('a') });
    expect((await deploy({ service: 'race' })).code).toBe(0);
    scene.mark('race', { prod: sha('b') });
    const approved = await deploy({ service: 'race', mode: 'plan' });
    scene.mark('race', { prod: sha('c') });
    expect((await deploy({ service: 'race' })).code).toBe(0);
    scene.mark('race', { prod: sha('b') });
    const late = await deploy({ service: 'race', 'expected-plan': approved.outputs['plan-hash'] ?? '' });
    expect([late.code, late.text.includes('PLAN_CHANGED') || late.text.includes('was approved')]).toEqual([1, true]);
  });

  it('shows quotas with their numbers: what cannot fit, what only takes longer, what fits', async () => {
    scene.write('quo/kubernetes-lab.yaml', `main: {cpus: 0.1, mem: 64, disk: 64, instances: 3, deploy_group: prod, cmd: 'true'}\n`);
    scene.mark('quo', { prod: sha('a') });
    expect((await deploy({ service: 'quo' })).code).toBe(0);
    const quota = async (hard: object): Promise<void> => {
      await apply({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'compute', namespace: 'paastasvc-quo' }, spec: { hard } });
      await cluster.must(['-n', 'paastasvc-quo', 'wait', 'resourcequota/compute', '--for=jsonpath={.status.hard}', '--timeout=120s']);
      await until('the quota counts', async () => {
        const [specified, seen] = JSON.parse(
          await cluster.must(['-n', 'paastasvc-quo', 'get', 'resourcequota', 'compute', '-o', 'jsonpath=[{.spec.hard},{.status.hard}]']),
        ) as [object, object];
        return JSON.stringify(specified) === JSON.stringify(seen);
      });
    };
    scene.mark('quo', { prod: sha('b') });
    await quota({ pods: '6', 'requests.cpu': '1' });
    const fits = await deploy({ service: 'quo', mode: 'plan', 'plan-file': 'plan.json' });
    expect(fits.text).toContain('pods 3 → 6 → 3, cpu 0.3 → 0.6 → 0.3, memory 192Mi → 384Mi → 192Mi (now, at the peak, afterwards)');
    expect(fits.text).toContain('fits quota compute');
    expect(fits.code).toBe(2);
    expect(document().quotas).toMatchObject([
      { quota: 'compute', resource: 'pods', hard: 6, used: 3, peak: 3, after: 0, fits: 'yes' },
      { resource: 'requests.cpu', hard: 1, fits: 'yes' },
    ]);

    await quota({ pods: '4', 'requests.cpu': '1' });
    const slower = await deploy({ service: 'quo', mode: 'plan' });
    expect(slower.text).toContain(
      '! ResourceQuota paastasvc-quo/compute: pods: 3 more at the peak, 1 left (3 of 4 used); the bounce goes on in smaller steps',
    );
    expect(slower.code).toBe(2);

    await quota({ pods: '3', 'requests.cpu': '1' });
    const stuck = await deploy({ service: 'quo', mode: 'plan' });
    expect(stuck.text).toContain('✗ ResourceQuota paastasvc-quo/compute: pods: 3 more at the peak, 0 left (3 of 3 used)');
    expect(stuck.summary).toContain('| ❌ | paastasvc-quo/compute | pods: 3 more at the peak, 0 left (3 of 3 used) |');
    expect(stuck.text).toContain('next: raise the ResourceQuota, or lower cpus, mem or instances');
    expect(stuck.code).toBe(1);

    // old pods that go first leave room for the new ones
    scene.write(
      'quo/kubernetes-lab.yaml',
      `main: {cpus: 0.1, mem: 64, disk: 64, instances: 3, deploy_group: prod, cmd: 'true', bounce_method: downthenup}\n`,
    );
    expect((await deploy({ service: 'quo', mode: 'plan' })).code).toBe(2);
    scene.write(
      'quo/kubernetes-lab.yaml',
      `main: {cpus: 0.1, mem: 64, disk: 64, instances: 5, deploy_group: prod, cmd: 'true', bounce_method: downthenup}\n`,
    );
    const more = await deploy({ service: 'quo', mode: 'plan' });
    expect(more.text).toContain('pods: 2 more, 0 left (3 of 3 used)');
    expect(more.code).toBe(1);
  });

  it('shows what LimitRanges and policies refuse, of the workload and of its pods, and writes nothing', async () => {
    for (const service of ['lim', 'pol']) {
      scene.write(`${service}/kubernetes-lab.yaml`, `main: ${worker()}\n`);
      scene.mark(service, { prod: sha('a') });
    }
    expect((await deploy({})).code).toBe(0);
    await apply({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'sizes', namespace: 'paastasvc-lim' },
      spec: { limits: [{ type: 'Container', max: { memory: '48Mi' } }] },
    });
    const policy = (name: string, group: string, resource: string, expression: string, message: string): object[] => [
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name },
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'paastasvc-pol' } },
            resourceRules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: [resource] }],
          },
          validations: [{ expression, message }],
        },
      },
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name },
        spec: { policyName: name, validationActions: ['Deny'] },
      },
    ];
    await apply(
      ...policy('few-replicas', 'apps', 'deployments', 'object.spec.replicas <= 2', 'at most 2 replicas here'),
      ...policy('no-tagged', '', 'pods', "!object.metadata.labels.exists(k, k.endsWith('git_sha'))", 'pods may not say their commit'),
    );
    scene.mark('lim', { prod: sha('b') });
    scene.mark('pol', { prod: sha('b') });
    scene.write('pol/kubernetes-lab.yaml', `main: ${worker().replace('instances: 2', 'instances: 3')}\n`);
    let plan = await deploy({ mode: 'plan', 'plan-file': 'plan.json' });
    // policies take a moment until they hold
    for (let i = 0; i < 20 && !(plan.text.includes('at most 2') && plan.text.includes('may not say')); i++)
      plan = await deploy({ mode: 'plan', 'plan-file': 'plan.json' });
    expect(plan.code).toBe(1);
    expect(plan.text).toMatch(/✗ .*maximum memory usage per Container is 48Mi, but limit is 64Mi/);
    expect(plan.text).toMatch(/✗ .*at most 2 replicas here/);
    expect(plan.text).toMatch(/✗ .*pods may not say their commit/);
    expect(plan.text).toContain('lim.main: would be refused');
    expect(document()).toMatchObject({
      changes: true,
      errors: true,
      instances: [
        { service: 'lim', problems: [{ code: 'ADMISSION_DENIED' }] },
        { service: 'pol', problems: [{ code: 'ADMISSION_DENIED' }, { code: 'ADMISSION_DENIED' }] },
      ],
    });
    for (const service of ['lim', 'pol'])
      expect(
        await cluster.must([
          '-n',
          `paastasvc-${service}`,
          'get',
          'deploy',
          `${service}-main`,
          '-o',
          'jsonpath={.metadata.labels.paasta\\.yelp\\.com/git_sha}',
        ]),
      ).toBe(sha('a'));

    // reading only: limits are reckoned, admission is not asked, and that is said
    const kubeconfig = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-plan',
      name: 'reader',
      roles: ['paasta-plan'],
    });
    const reckoned = await deploy({ mode: 'plan', kubeconfig, service: 'lim' });
    expect(reckoned.text).toContain('✗ LimitRange paastasvc-lim/sizes: container main: maximum memory is 48Mi, but the limit is 64Mi');
    expect(reckoned.text).toContain('admission could not be asked');
    expect(reckoned.code).toBe(1);
    const blind = await deploy({ mode: 'plan', kubeconfig, service: 'pol' });
    expect(blind.code).toBe(2);

    // may rehearse, and nothing else
    const rehearsing = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-plan',
      name: 'rehearser',
      roles: ['paasta-plan', 'paasta-plan-rehearsal'],
    });
    const rehearsed = await deploy({ mode: 'plan', kubeconfig: rehearsing, service: 'pol' });
    expect(rehearsed.text).toMatch(/✗ .*at most 2 replicas here/);
    expect(rehearsed.text).not.toContain('could not be');
    const refused = await deploy({ kubeconfig: rehearsing, service: 'lim' });
    expect(refused.text).toContain('this identity may only rehearse (dry-run)');
    expect(refused.code).toBe(1);
    await cluster.must(['delete', 'validatingadmissionpolicybinding', 'few-replicas', 'no-tagged']);
  });

  it('needs the documented rights and no more; a verb that is missing is named before the first write, and the others go on', async () => {
    scene.write(
      'least/kubernetes-lab.yaml',
      `main: ${worker()}\nauto: ${worker().replace('instances: 2', 'min_instances: 1, max_instances: 2')}\nup: ${worker('bounce_method: upthendown')}\n`,
    );
    scene.write('least/smartstack.yaml', 'main: {proxy_port: 20310}\n');
    scene.mark('least', { prod: sha('a') });
    const full = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-ci',
      name: 'full',
      roles: ['paasta-plan', 'paasta-apply'],
    });
    const first = await deploy({ service: 'least', kubeconfig: full });
    expect(first.text).not.toContain('may not');
    expect(first.code).toBe(0);
    expect((await deploy({ service: 'least', kubeconfig: full, mode: 'wait' })).code).toBe(0);
    const reader = await limitedKubeconfig(cluster, scene.directory, { namespace: 'paasta-ci', name: 'reader', roles: ['paasta-plan'] });
    expect((await deploy({ service: 'least', kubeconfig: reader, mode: 'wait' })).code).toBe(0);
    const plan = await deploy({ service: 'least', kubeconfig: reader, mode: 'plan' });
    expect([plan.code, plan.outputs['changed']]).toEqual([0, 'false']);

    // one verb fewer: the autoscaler is left out and fails its instance, everything else is deployed
    const roles = await cluster.must(['get', 'clusterrole', 'paasta-apply', '-o', 'json']);
    const less = JSON.parse(roles) as { metadata: object; rules: { apiGroups: string[]; verbs: string[] }[] };
    await apply({
      ...less,
      metadata: { name: 'paasta-less' },
      rules: less.rules.map((r) => (r.apiGroups[0] === 'autoscaling' ? { ...r, verbs: ['create'] } : r)),
    });
    const lacking = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-ci',
      name: 'lacking',
      roles: ['paasta-plan', 'paasta-less'],
    });
    scene.write(
      'least/kubernetes-lab.yaml',
      `main: ${worker()}\nauto: ${worker().replace('instances: 2', 'min_instances: 1, max_instances: 3')}\n`,
    );
    scene.mark('least', { prod: sha('b') });
    const from = auditMark(cluster.auditLogPath);
    const run = await deploy({ service: 'least', kubeconfig: lacking });
    expect(run.code).toBe(1);
    expect(run.text).toMatch(
      /least\.auto: context '.*' on https:\S+ may not patch horizontalpodautoscalers\.autoscaling in namespace paastasvc-least: nothing that needs it was written/,
    );
    expect(run.text).toContain("grant the verb 'patch' on 'horizontalpodautoscalers.autoscaling'");
    expect(run.text).toMatch(/least\.main +bbbbbbbb +deployed, 2\/2 ready/);
    const asked = auditCounts(cluster.auditLogPath, from, { userAgent: 'paasta-actions' });
    expect(asked.written.filter((w) => w.includes('horizontalpodautoscalers'))).toEqual([]);
    // one question for one namespace
    expect(asked.byVerb['create']).toBe(1);

    // without a right to the workload nothing of an instance is written
    await apply({ ...less, metadata: { name: 'paasta-none' }, rules: less.rules.filter((r) => r.apiGroups[0] !== 'apps') });
    const none = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-ci',
      name: 'none',
      roles: ['paasta-plan', 'paasta-none'],
    });
    const quiet = auditMark(cluster.auditLogPath);
    scene.mark('least', { prod: sha('c') });
    const left = await deploy({ service: 'least', kubeconfig: none });
    expect(left.code).toBe(1);
    expect(left.text).toMatch(/least\.main: context '.*' on https:\S+ may not patch deployments\.apps in namespace paastasvc-least/);
    expect(
      auditCounts(cluster.auditLogPath, quiet, { userAgent: 'paasta-actions' }).written.filter((w) => w.includes('paastasvc-least')),
    ).toEqual([]);

    // side by side needs more, and says so before the first write
    scene.write('least/kubernetes-lab.yaml', `up: ${worker('bounce_method: upthendown')}\n`);
    const aside = await deploy({ service: 'least', kubeconfig: full });
    expect(aside.code).toBe(1);
    expect(aside.text).toMatch(/may not delete deployments\.apps in namespace paastasvc-least/);
    expect(aside.text).toMatch(/may not patch pods in namespace paastasvc-least/);
    const whole = await limitedKubeconfig(cluster, scene.directory, {
      namespace: 'paasta-ci',
      name: 'whole',
      roles: ['paasta-plan', 'paasta-apply', 'paasta-side-by-side'],
    });
    const done = await deploy({ service: 'least', kubeconfig: whole });
    expect(done.text).not.toContain('may not');
    expect(done.code).toBe(0);
  });
});
