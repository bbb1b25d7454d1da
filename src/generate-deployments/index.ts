import { runAction } from '../shared/runtime/index.ts';
import { main } from './main.ts';
import { wire } from './wire.ts';

await runAction('paasta-generate-deployments', (runtime) => main(runtime, wire(runtime)));
