/** Through a proxy and to servers with a private certificate authority: GitHub's API and the registry, by the mark bundle. */
import { startProxy, startSecureFront } from '../support/network-fronts.ts';
import { describeWith, root } from '../support/requirements.ts';
import { startServiceWorld, type ServiceWorld } from '../support/world.ts';

describeWith([root()], 'a proxy and a private certificate authority', () => {
  let world: ServiceWorld;
  beforeAll(async () => {
    world = await startServiceWorld({ name: `network-${process.pid}`, log: () => undefined });
  });
  afterAll(async () => {
    await world.stop();
  });

  it('marks through both, and says which is in the way when one is missing', async () => {
    const sha = await world.commit({ NOTES: 'network\n' }, 'A commit');
    const front = await startSecureFront(world.github.url, ['github.corp.example']);
    const proxy = await startProxy({ route: () => ({ host: '127.0.0.1', port: front.port }) });
    const inputs = {
      'deploy-group': 'prod.main',
      commit: sha,
      'github-token': world.token,
      'github-api-url': `https://github.corp.example:${front.port}/api/v3`,
      'verify-image': 'false',
    };
    try {
      const both = await world.action('mark-for-deployment', inputs, {
        env: { HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: front.caFile },
      });
      expect(both.text).not.toMatch(/::error/);
      expect(both.code).toBe(0);
      expect(proxy.seen).toContain(`CONNECT github.corp.example:${front.port}`);
      expect(Object.keys(await world.repository.tags())).toContain(both.outputs['tag']);

      const noAuthority = await world.action('mark-for-deployment', inputs, { env: { HTTPS_PROXY: proxy.url } });
      expect(noAuthority.code).toBe(1);
      expect(noAuthority.text).toMatch(/certificate/i);
      expect(noAuthority.text).toContain('NODE_EXTRA_CA_CERTS');

      const noProxy = await world.action('mark-for-deployment', inputs, {
        // a name server that is silent is asked once
        env: { NODE_EXTRA_CA_CERTS: front.caFile, RES_OPTIONS: 'timeout:1 attempts:1' },
      });
      expect(noProxy.code).toBe(1);
      expect(noProxy.text).toContain('github.corp.example');
    } finally {
      await proxy.stop();
      await front.stop();
    }
  });
});
