/**
 * Reads a YAML file as PaaSTA's reader (PyYAML's safe loader on libyaml, YAML 1.1) does. One parse gives values and positions: js-yaml scans
 * the text into events, these are composed into nodes, and the nodes make the values. Bombs are bounded by depth, aliases, merged keys and
 * expanded size.
 */
import { problem, type Problem } from '../contract/errors.ts';
import { Composer } from './yaml-compose.ts';
import { Constructor } from './yaml-construct.ts';
import { documentOf, type YamlDocument } from './yaml-document.ts';
import { YamlFault } from './yaml-fault.ts';
import { LIMITS } from './yaml-limits.ts';
import { explainSyntax } from './yaml-messages.ts';
import { ScanError } from './yaml-scan-error.ts';
import { lineTable, place } from './yaml-text.ts';

export type { YamlDocument } from './yaml-document.ts';

export type YamlResult =
  { readonly document: YamlDocument; readonly problem?: undefined } | { readonly document?: undefined; readonly problem: Problem };

/** Reads one YAML file. Never throws for its content: what is wrong comes back as a problem with file, line and column. */
export function readYaml(text: string, file: string): YamlResult {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  if (source.length > LIMITS.characters)
    return {
      problem: problem('FILE_TOO_LARGE', `the file has ${source.length} characters; at most ${LIMITS.characters} are read`, {
        file,
        hint: 'configuration files are small: is this the right file?',
      }),
    };
  const lines = lineTable(source);
  try {
    const composer = new Composer(source);
    const node = composer.compose();
    const constructor = new Constructor();
    const value = node === undefined ? null : constructor.construct(node);
    const { recursiveAt } = composer;
    return { document: documentOf(file, source, lines, node, value, { recursiveAt, duplicates: constructor.duplicates }) };
  } catch (error) {
    if (error instanceof YamlFault)
      return {
        problem: {
          ...problem(error.code, error.message, { file, ...place(lines, error.offset) }),
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        },
      };
    if (error instanceof ScanError) {
      const said = error.hint === undefined ? explainSyntax(source, error.offset, error.message, lines) : error;
      return {
        problem: problem('YAML_INVALID', said.message, {
          file,
          ...place(lines, said.offset),
          ...(said.hint === undefined ? {} : { hint: said.hint }),
        }),
      };
    }
    throw error;
  }
}
