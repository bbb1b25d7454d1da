/**
 * Plays nodes and their pods against a real API server (what a pod does: fake/plan.ts).
 *
 *   node fake-node.ts --kubeconfig FILE [--nodes N] [--prefix fake] [--rules FILE] [--tls-cert F --tls-key F --client-ca F]
 */
import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { credentialsOf, readKubeconfig } from './parts/api.ts';
import { Fleet } from './fake/fleet.ts';

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string' },
    nodes: { type: 'string', default: '1' },
    prefix: { type: 'string', default: 'fake' },
    rules: { type: 'string' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    'client-ca': { type: 'string' },
  },
});
if (values.kubeconfig === undefined) throw new Error('--kubeconfig is required');
const { rules, 'tls-cert': cert, 'tls-key': key, 'client-ca': clientCa } = values;
const fleet = new Fleet({
  credentials: credentialsOf(readKubeconfig(values.kubeconfig)),
  nodes: Number(values.nodes),
  prefix: values.prefix,
  ...(rules !== undefined && { rulesFile: rules }),
  ...(cert !== undefined &&
    key !== undefined &&
    clientCa !== undefined && { tls: { cert: fs.readFileSync(cert), key: fs.readFileSync(key), clientCa: fs.readFileSync(clientCa) } }),
  log: (line) => {
    console.log(new Date().toISOString(), line);
  },
});
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    fleet.stop();
    process.exit(0);
  });
await fleet.start();
