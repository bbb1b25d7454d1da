/** Pods that really serve: drained from outside before an upthendown bounce ends them, and watched while crossover bounces end them. */
import { spawn } from 'node:child_process';
import { sha } from '../support/deploy-scene.ts';
import { describeWith, root } from '../support/requirements.ts';
import { serving, startServing, type ServingScene } from '../support/serving-scene.ts';

/** They answer as the http drain method asks; idle 5 s after the drain. What was asked is in the log. */
const said = 'echo "$REQUEST_METHOD $SCRIPT_NAME $QUERY_STRING" >&2\n';
const answer = (status: number): string => `printf 'Status: ${status}\\r\\nContent-Type: text/plain\\r\\n\\r\\n${status}\\n'\n`;
const CGI: Record<string, string> = {
  drain: `#!/bin/sh\n${said}date +%s > /tmp/drained\n${answer(200)}`,
  undrain: `#!/bin/sh\n${said}rm -f /tmp/drained\n${answer(200)}`,
  draining: `#!/bin/sh\n${said}if [ -f /tmp/drained ]; then\n${answer(200)}else\n${answer(404)}fi\n`,
  idle: `#!/bin/sh\n${said}if [ -f /tmp/drained ] && [ $(( $(date +%s) - $(cat /tmp/drained) )) -ge 5 ]; then\n${answer(200)}else\n${answer(409)}fi\n`,
};
const spec = (call: string, method: string): string =>
  `{url_format: 'http://{host}:{port}/cgi-bin/${call}?of={nerve_ns}', method: ${method}, success_codes: '200'}`;
const HTTP = `drain_method: http, drain_method_params: {drain: ${spec('drain', 'POST')}, stop_draining: ${spec('undrain', 'POST')}, is_draining: ${spec('draining', 'GET')}, is_safe_to_kill: ${spec('idle', 'GET')}}`;
const instance = (name: string, seconds: number, more = '', count = 2): string =>
  serving(count, seconds, `registrations: [web.${name}], bounce_margin_factor: 1${more === '' ? '' : `, ${more}`}`);

describeWith([root()], 'bounces of pods that serve', () => {
  let world: ServingScene;

  beforeAll(async () => {
    world = await startServing(`drn-e2e-${process.pid}`, CGI);
    world.scene.write(
      'web/kubernetes-lab.yaml',
      `polite: ${instance('polite', 0, `bounce_method: upthendown, ${HTTP}`)}\npatient: ${instance('patient', 5)}\nhasty: ${instance('hasty', 0, '', 4)}\n`,
    );
    world.scene.write(
      'web/smartstack.yaml',
      ['polite', 'patient', 'hasty'].map((name, i) => `${name}: {proxy_port: ${20_001 + i}}\n`).join(''),
    );
  });
  afterAll(async () => {
    await (world as ServingScene | undefined)?.stop();
  });

  it('drains old pods over HTTP before it ends them, and proves when pods left traffic', async () => {
    const { cluster, scene } = world;
    const first = await scene.deploy({ service: 'web', 'stability-window': '0s', timeout: '2m' });
    expect(first.code).toBe(0);
    expect(first.text).not.toContain('drain proof');
    // crossover leaves the drain to preStop; nobody wrote a drain method there
    expect(first.text).not.toContain('DRAIN_WITHOUT_EFFECT');

    let heard = '';
    const logs = spawn(
      cluster.kubectlPath,
      [
        '--kubeconfig',
        cluster.kubeconfigPath,
        '-n',
        'paastasvc-web',
        'logs',
        '-f',
        '--prefix',
        '-l',
        'paasta.yelp.com/instance=polite',
        '--max-log-requests',
        '10',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    logs.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    scene.mark('web', { prod: sha('b') });
    const bounced = await scene.deploy({ service: 'web', 'stability-window': '0s', timeout: '3m' });
    logs.kill();
    expect(bounced.code).toBe(0);

    // each of the two old pods was drained once, and asked until it was idle
    const asked = (line: string): number => heard.split('\n').filter((l) => l.includes(line)).length;
    expect(asked('POST /cgi-bin/drain of=web.polite')).toBe(2);
    expect(asked('GET /cgi-bin/idle of=web.polite')).toBeGreaterThanOrEqual(4);
    expect(asked('/cgi-bin/undrain')).toBe(0);
    const seconds = (name: string): number =>
      Number(
        new RegExp(`web\\.${name}: drain proof: 2 pods left traffic at least ([0-9.]+) s before they ended`).exec(bounced.text)?.[1] ??
          `no proof of ${name}`,
      );
    // It has no preStop: what keeps it alive out of traffic is the drain alone. Of its 5 s one goes to `date`, which counts whole
    // seconds, one to the kubelet, which tells the end so, and one is for the endpoint controller, which acts after the drain began.
    expect(seconds('polite')).toBeGreaterThanOrEqual(2);
    expect(seconds('patient')).toBeGreaterThanOrEqual(1);
    // the control: nothing waits
    expect(bounced.text).toMatch(/web\.hasty: drain proof: [1-4] pods? ended less than 1\.0 s after leaving traffic: web-hasty-/);
    expect(bounced.text).toContain('set lifecycle.pre_stop_drain_seconds');
  });
});
