/** Checks of one file by itself: keys that stand twice, its schema, and what PaaSTA checks beside that. Rule: paasta_tools/cli/cmds/validate.py. */
import { warning, type Problem } from '../contract/errors.ts';
import { sanitiseName } from '../contract/names.ts';
import { quoted } from '../contract/validity.ts';
import { isMap, type Value } from '../contract/values.ts';
import { checkSchema, placed, type PlacedProblem, type SchemaKind } from './schema-check.ts';
import { isTruthy, keysOf } from './yaml-values.ts';
import type { YamlDocument } from './yaml.ts';

/** Longest service or instance name once it is sanitised. */
export const NAME_LIMIT = 63;

/** Keys that count only once: the last one wins, and the first is most likely forgotten. */
export function duplicateKeys(document: YamlDocument): readonly Problem[] {
  return document.duplicates.map(({ key, position, first }) =>
    warning('DUPLICATE_KEY', `the key '${key}' is there twice (first on line ${first.line ?? '?'}): this one counts`, {
      ...position,
      hint: 'remove one of the two',
    }),
  );
}

/** The schema of a file, and what it cannot say. */
export function checkFile(schema: SchemaKind, document: YamlDocument): readonly PlacedProblem[] {
  return [...checkSchema(schema, document), ...beyondSchema(schema, document)];
}

/** What PaaSTA checks beside the schema of a file: lengths of names, bounds of rollback conditions. */
function beyondSchema(schema: SchemaKind, document: YamlDocument): readonly PlacedProblem[] {
  const value = document.value;
  if (!isMap(value)) return [];
  if (schema === 'kubernetes' || schema === 'eks') {
    return keysOf(value)
      .filter((name) => !name.startsWith('_') && sanitiseName(name).length > NAME_LIMIT)
      .map((name) =>
        placed(
          document,
          [name],
          'INSTANCE_NAME_TOO_LONG',
          `the name ${quoted(name)} has more than ${NAME_LIMIT} characters (each _ counts as two)`,
        ),
      );
  }
  if (schema !== 'rollback') return [];
  const { conditions } = value;
  // The schema tells of conditions that are no mapping.
  if (!isMap(conditions))
    return conditions === undefined ? [placed(document, [], 'MISSING_KEY', "the file needs the key 'conditions'")] : [];
  return keysOf(conditions).flatMap((source) => {
    const queries = conditions[source];
    return (Array.isArray(queries) ? (queries as readonly Value[]) : []).flatMap((query, index) =>
      isMap(query) && !isTruthy(query.lower_bound) && !isTruthy(query.upper_bound)
        ? [
            placed(
              document,
              ['conditions', source, index],
              'MISSING_KEY',
              `condition ${index + 1} of ${source} needs lower_bound or upper_bound, other than 0`,
            ),
          ]
        : [],
    );
  });
}
