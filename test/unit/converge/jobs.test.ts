/** CronJobs only where they are asked for: beside a running Tron every job would start twice. */
import { A, B, FILES, kubeSystem, refusal, world } from './world.ts';

const TRON = {
  ...FILES,
  'web/tron-lab.yaml':
    'nightly:\n  schedule: daily 04:00\n  deploy_group: prod\n  actions:\n    run: {command: ./report}\nbroken:\n  schedule: cron 0 0 L * *\n  deploy_group: prod\n  actions:\n    run: {command: ./report}\n',
};
const ON = { tron_cronjobs: true };

describe('jobs of tron', () => {
  it('are left to Tron by default: one line says so, nothing is written', async () => {
    const w = world(TRON);
    const result = await w.run(A);
    expect(w.log.lines.filter((line) => line.includes('tron'))).toEqual([
      'info tron: 2 jobs are left to Tron ("tron_cronjobs": true in the system configuration makes CronJobs of them)',
    ]);
    expect(w.cluster.written.filter((said) => said.includes('CronJob') || said.includes('tron'))).toEqual([]);
    expect(result.problems).toEqual([]);
  });

  it('become CronJobs when asked for; one that cannot is a problem on its line and holds back no other', async () => {
    const w = world(TRON, [kubeSystem], ON);
    const result = await w.run(A);
    expect(w.cluster.written.indexOf('Namespace tron')).toBeLessThan(w.cluster.written.indexOf('CronJob web-nightly'));
    expect(w.cluster.objects.get('CronJob/tron/web-nightly')?.spec).toMatchObject({ schedule: '0 4 * * *' });
    expect(w.cluster.objects.has('CronJob/tron/web-broken')).toBe(false);
    expect(result.problems).toMatchObject([{ severity: 'error', code: 'TRON_SCHEDULE', file: 'web/tron-lab.yaml', line: 7 }]);
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
    w.cluster.written.length = 0;
    await w.run(A);
    expect(w.cluster.written).toEqual([]);
    await w.run(B);
    expect(w.cluster.written).toContain('CronJob web-nightly');
  });

  it('are planned without being written', async () => {
    const w = world(TRON, [kubeSystem], ON);
    const result = await w.run(A, { mode: 'plan' });
    expect(result.plan?.shared.map(({ title }) => title)).toContain('CronJob tron/web-nightly');
    expect(w.cluster.written).toEqual([]);
  });

  it('are chosen by name and by deploy group, and need no instance beside them', async () => {
    const only = world({ 'web/tron-lab.yaml': TRON['web/tron-lab.yaml'] }, [kubeSystem], ON);
    await only.run(A, {}, { service: 'web', instances: ['nightly'] });
    expect(only.cluster.written.filter((said) => said.startsWith('CronJob'))).toEqual(['CronJob web-nightly']);
    const other = world(TRON, [kubeSystem], ON);
    await expect(other.run(A, {}, { deployGroup: 'elsewhere' })).rejects.toThrow("deploy group 'elsewhere' is not declared");
  });

  it('wait for their mark', async () => {
    const w = world(TRON, [kubeSystem], ON);
    const result = await w.run(undefined);
    expect(w.log.lines).toContain("info web.nightly: nothing: web.nightly: deploy group 'prod' was never marked");
    expect(result.problems.map(({ code }) => code)).not.toContain('NOT_MARKED');
  });

  it('that may not be read are named', async () => {
    const w = world(TRON, [kubeSystem], ON);
    w.cluster.refused.set('list CronJob', refusal(403, 'cronjobs may not be listed'));
    const result = await w.run(A);
    expect(result.problems).toMatchObject([{ code: 'CLUSTER_FORBIDDEN', message: 'cronjobs may not be listed' }]);
    expect(result.instances).toMatchObject([{ state: 'deployed' }]);
  });
});
