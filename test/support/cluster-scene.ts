/** What tests of deploy against a control plane share: a cluster for all tests of a `describe`, an empty scene for each of them. */
import { startCluster, type Cluster } from '../testbed/index.ts';
import { createScene, type Scene } from './deploy-scene.ts';

/**
 * To be called inside `describe`. Before each test `given` gets the cluster, whose pods behave, and another scene. `begin`: once, with the
 * cluster as it starts.
 */
export function onCluster(
  name: string,
  given: (cluster: Cluster, scene: Scene) => void,
  begin?: (cluster: Cluster) => Promise<void>,
): void {
  let cluster: Cluster;
  let scene: Scene;
  beforeAll(async () => {
    cluster = await startCluster({ name, log: () => undefined });
    await cluster.must(['label', 'nodes', '--all', '--overwrite', 'yelp.com/pool=default']);
    await begin?.(cluster);
  }, 900_000);
  afterAll(async () => {
    await cluster.stop();
  });
  beforeEach(() => {
    scene = createScene(cluster);
    cluster.setFakeRules([]);
    given(cluster, scene);
  });
  afterEach(() => {
    scene.remove();
  });
}
