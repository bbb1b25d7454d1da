/** A directory tree in memory. */
import type { Entry, TreeReader } from '../../src/shared/contract/ports.ts';

export function memoryTree(files: Readonly<Record<string, string>>): TreeReader {
  return {
    root: '/soa',
    read: (path) => files[path],
    list: (path) => {
      const prefix = path === '' || path === '.' ? '' : `${path}/`;
      const found = new Map<string, Entry>();
      for (const file of Object.keys(files)) {
        if (!file.startsWith(prefix)) continue;
        const [name = '', ...rest] = file.slice(prefix.length).split('/');
        found.set(name, { name, kind: rest.length === 0 ? 'file' : 'directory' });
      }
      return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  };
}
