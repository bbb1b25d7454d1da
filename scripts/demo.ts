/**
 * `npm run demo`: the four actions against real parts, as a runner runs them. First deploy, a pass that changes nothing, a
 * bounce under load beside a control run without a drain, a broken version. Ends non-zero when anything is not as told.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { underLoad } from '../test/support/bounce.ts';
import type { BundleRun } from '../test/support/runner.ts';
import { startWorld, type World } from '../test/support/world.ts';
import { auditCounts, auditMark, inPlainWords } from '../test/testbed/index.ts';

const NAMESPACE = 'paastasvc-hello';
const began = performance.now();
const summaries: string[] = [];
const complaints: string[] = [];

function say(line = ''): void {
  console.log(line);
}
function chapter(title: string): void {
  say(`\n━━━ ${title} ━━━ (${((performance.now() - began) / 1_000).toFixed(0)} s)`);
}
/** One expectation of the demo: told, and remembered when it does not hold. */
function expect(holds: boolean, what: string): void {
  say(`${holds ? '✔' : '✘'} ${what}`);
  if (!holds) complaints.push(what);
}

/** What a person sees in the job log: commands to the runner are carried out, not shown. */
function show(): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('::add-mask::') || line === '::endgroup::') continue;
      const command = /^::(group|error|warning|notice)(?: [^:]*)?::(.*)$/.exec(line);
      const text =
        command === null
          ? line
          : `${command[1] === 'group' ? '▸' : `${command[1]?.toUpperCase() ?? ''}:`} ${(command[2] ?? '').replaceAll('%0A', '\n  │   ').replaceAll('%0D', '').replaceAll('%25', '%')}`;
      say(`  │ ${text}`);
    }
  };
}

async function step(
  world: World,
  action: string,
  inputs: Record<string, string>,
  wanted: 'success' | 'failure' = 'success',
): Promise<BundleRun> {
  say(
    `\n$ dist/${action} ${Object.entries(inputs)
      .map(([k, v]) => `${k}=${/token|password/.test(k) ? '***' : v}`)
      .join(' ')}`,
  );
  const run = await world.action(action, inputs, { onText: show() });
  summaries.push(run.summary);
  const ended = run.code === 0 ? 'success' : 'failure';
  if (ended !== wanted) expect(false, `${action} ended with ${ended} (exit ${String(run.code)}), wanted ${wanted}`);
  return run;
}

/** itest, push-to-registry and mark-for-deployment of the current commit; the digest and the tag. */
async function release(world: World, sha: string, groups: readonly string[]): Promise<{ digest: string }> {
  await step(world, 'itest', { service: 'hello', commit: sha });
  const push = await step(world, 'push-to-registry', { service: 'hello', commit: sha });
  for (const group of groups) {
    const mark = await step(world, 'mark-for-deployment', {
      service: 'hello',
      commit: sha,
      'deploy-group': group,
      'github-token': world.token,
    });
    say(`  tag ${String(mark.outputs['tag'])}`);
  }
  say(`  digest ${String(push.outputs['digest'])}`);
  return { digest: String(push.outputs['digest']) };
}

/** Deploys one group, or with an empty name everything that is marked. */
async function deploy(
  world: World,
  group: string,
  wanted: 'success' | 'failure' = 'success',
  more: Record<string, string> = {},
): Promise<BundleRun> {
  return step(
    world,
    'deploy',
    {
      service: 'hello',
      cluster: 'prod',
      ...(group === '' ? {} : { 'deploy-group': group }),
      kubeconfig: world.cluster.kubeconfigPath,
      'github-token': world.token,
      ...more,
    },
    wanted,
  );
}

async function demo(world: World): Promise<void> {
  // the same service once more, without a drain: what a bounce loses when nobody cares
  appendFileSync(
    join(world.soaDir, 'hello', 'kubernetes-prod.yaml'),
    [
      '',
      '# the control run of the demo: as main, but nothing waits before the end of a pod',
      'control:',
      '  <<: *web',
      '  deploy_group: prod.control',
      '  registrations: [hello.control]',
      '  instances: 3',
      '  bounce_margin_factor: 1',
      '  lifecycle:',
      '    pre_stop_drain_seconds: 0',
      '',
    ].join('\n'),
  );
  appendFileSync(
    join(world.soaDir, 'hello', 'smartstack.yaml'),
    'control:\n  proxy_port: 20002\n  mode: http\n  healthcheck_uri: /status\n',
  );
  const deployYaml = join(world.soaDir, 'hello', 'deploy.yaml');
  writeFileSync(deployYaml, `${readFileSync(deployYaml, 'utf8')}  - step: prod.control\n`);

  chapter('1. First deploy: commit → image → tag → pods');
  const first = await world.commit({ NOTES: 'first\n' }, 'First version');
  const { digest } = await release(world, first, ['prod.main', 'prod.control']);
  await deploy(world, '');
  const pods = await world.kubectl(
    'get',
    'pods',
    '-n',
    NAMESPACE,
    '-o',
    'custom-columns=POD:.metadata.name,READY:.status.containerStatuses[0].ready,IMAGE:.status.containerStatuses[0].imageID',
  );
  say(pods);
  expect(
    pods.split('\n').filter((line) => line.includes(digest)).length >= 7,
    `kubectl shows every pod running the pushed digest ${digest}`,
  );

  chapter('2. The same again: nothing to do');
  const from = auditMark(world.cluster.auditLogPath);
  const again = await deploy(world, 'prod.main');
  const counts = auditCounts(world.cluster.auditLogPath, from, /paasta-actions/);
  expect(
    again.outputs['changed'] === 'false' && counts.writes === 0,
    `an unchanged pass: ${counts.total} API requests, ${counts.writes} writes (the API server's own audit log)`,
  );

  chapter('3. A new version through a crossover bounce, under load');
  const second = await world.commit({ NOTES: 'second\n' }, 'Second version');
  await release(world, second, ['prod.main', 'prod.control']);
  const ours = await underLoad(world, { namespace: NAMESPACE, service: 'hello---main', endpoints: 3, rate: 600, requests: 10_000 }, () =>
    deploy(world, 'prod.main'),
  );
  say(`  main: ${ours.load.sent} requests sent, ${ours.load.lost} lost; answers: ${JSON.stringify(ours.load.answers)}`);
  expect(
    ours.load.lost === 0 && ours.load.sent >= 10_000,
    `main, drained by preStop: ${ours.load.lost} of ${ours.load.sent} requests lost ${ours.load.lost === 0 ? '' : JSON.stringify(ours.load.reasons)}`,
  );
  const control = await underLoad(
    world,
    { namespace: NAMESPACE, service: 'hello---control', endpoints: 3, rate: 600, requests: 2_000, around: 500 },
    () => deploy(world, 'prod.control'),
  );
  expect(
    control.load.lost > 0,
    `control run, the same without a drain: ${control.load.lost} of ${control.load.sent} requests lost ${JSON.stringify(control.load.reasons)}`,
  );

  chapter('4. A broken version: it fails, says why, and the old one keeps serving');
  const main = readFileSync(join(world.checkout, 'main.go'), 'utf8');
  const makefile = readFileSync(join(world.checkout, 'Makefile'), 'utf8');
  const third = await world.commit(
    {
      'main.go': main.replace(
        'port := os.Getenv("PAASTA_PORT")',
        'if os.Getenv("DATABASE_URL") == "" {\n\t\treturn errors.New("DATABASE_URL is not set")\n\t}\n\tport := os.Getenv("PAASTA_PORT")',
      ),
      Makefile: makefile,
    },
    'Needs a database that nobody configured',
  );
  await release(world, third, ['prod.main']);
  const { result: broken, load: serving } = await underLoad(
    world,
    { namespace: NAMESPACE, service: 'hello---main', endpoints: 3, rate: 200, requests: 300, around: 500 },
    () => deploy(world, 'prod.main', 'failure', { timeout: '3m' }),
  );
  expect(
    /CRASH_LOOP/.test(broken.text) && broken.text.includes('DATABASE_URL is not set'),
    'the failure names the cause CRASH_LOOP and shows the last log lines',
  );
  expect(
    broken.text.includes(`meanwhile: 3 pods of version ${second.slice(0, 8)} are ready`),
    'and says that the second version serves meanwhile',
  );
  expect(
    serving.lost === 0 && Object.keys(serving.answers).every((a) => a.includes(second)),
    `the second version served all the time: ${serving.lost} of ${serving.sent} requests lost; answers: ${JSON.stringify(serving.answers)}`,
  );
}

const world = await startWorld({
  name: 'main',
  size: 'full',
  log: (line) => {
    say(line);
  },
  keep: true,
}).catch((error: unknown) => {
  console.error(`✘ ${inPlainWords(error)}`);
  process.exit(1);
});
try {
  await demo(world);
} finally {
  await world.stop();
}
chapter('The job summaries, as GitHub would show them');
for (const summary of summaries.filter((s) => s.trim() !== '')) say(`${summary.trim()}\n`);
say(`The testbed stays up for a look around: ${world.cluster.kubectlPath} --kubeconfig ${world.cluster.kubeconfigPath} get pods -A`);
say('Take it down with: npm run testbed -- down');
if (complaints.length > 0) {
  say(`\nThe demo found ${complaints.length} thing(s) that are not as they should be:`);
  for (const complaint of complaints) say(`✘ ${complaint}`);
  process.exitCode = 1;
} else say(`\n✔ everything as told, in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
