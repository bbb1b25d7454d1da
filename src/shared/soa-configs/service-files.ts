/** The files of one service as its validation sees them: which there are, subdirectories included, and each YAML file parsed once. */
import { UserError, type Problem } from '../contract/errors.ts';
import type { TreeReader } from '../contract/ports.ts';
import { readText } from './system-config.ts';
import { duplicateKeys } from './validate-files.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

const MAX_DEPTH = 10;

/** Files below `inside`, relative to the directory of the service. */
function walk(tree: TreeReader, service: string, inside: string, depth: number): readonly string[] {
  if (depth > MAX_DEPTH) return [];
  let entries;
  try {
    entries = tree.list(inside === '' ? service : `${service}/${inside}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [];
  }
  return entries.flatMap((entry) => {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    // PaaSTA's glob leaves hidden names out.
    if (entry.name.startsWith('.')) return [];
    return entry.kind === 'directory' ? walk(tree, service, path, depth + 1) : [path];
  });
}

/** Reads the directory of the service when it is made. */
export class ServiceFiles {
  /** Relative to the service's directory. */
  readonly names: readonly string[];
  private readonly tree: TreeReader;
  private readonly service: string;
  private readonly documents = new Map<string, YamlDocument | undefined>();

  constructor(tree: TreeReader, service: string) {
    this.tree = tree;
    this.service = service;
    this.names = walk(tree, service, '', 0);
  }

  /** A YAML file of the service; `undefined` when it cannot be read or walked. What is wrong with it is told once. */
  document(file: string, tell: (problems: readonly Problem[]) => void): YamlDocument | undefined {
    if (!this.documents.has(file)) {
      const path = `${this.service}/${file}`;
      const problems: Problem[] = [];
      const text = readText(this.tree, path, problems);
      const read = text === undefined ? undefined : readYaml(text, path);
      if (read?.problem !== undefined) problems.push(read.problem);
      if (read?.document !== undefined) problems.push(...duplicateKeys(read.document));
      tell(problems);
      this.documents.set(file, read?.document?.recursive === undefined ? read?.document : undefined);
    }
    return this.documents.get(file);
  }
}
