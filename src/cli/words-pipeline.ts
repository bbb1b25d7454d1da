/** `paasta pipeline`: deploy.yaml as an ordered table, or as the JSON that workflows consume. */
import { json, SERVICE, SOA_DIR_OF_READERS, SYSTEM_CONFIG_DIR, type Word } from './word.ts';

export const PIPELINE_WORDS: readonly Word[] = [
  {
    name: 'pipeline',
    stage: 'pipeline',
    plain: true,
    about: 'shows the steps of deploy.yaml in order, with their manual gates and settings',
    options: [
      SERVICE,
      SOA_DIR_OF_READERS,
      SYSTEM_CONFIG_DIR,
      { names: ['--allow-unknown-group'], input: 'allow-unknown-group', help: 'a step that no instance uses is a warning, not an error' },
      json('print the steps as JSON', { commandOnly: true }),
    ],
    load: async () => {
      const [{ show }, { wire }] = await Promise.all([import('../pipeline/main.ts'), import('../pipeline/wire.ts')]);
      return (runtime) => show(runtime, wire(runtime));
    },
  },
];
