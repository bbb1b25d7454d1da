/** Problems as a SARIF 2.1.0 file, which code scanning and editors read. Limits of GitHub: 25,000 results, of which 5,000 are shown. */
import { createHash } from 'node:crypto';
import type { Problem } from '../shared/contract/errors.ts';

const MOST_RESULTS = 25_000;
const LEVELS = { error: 'error', warning: 'warning', notice: 'note' } as const;

/** `files` of the problems are relative to the root of the repository. */
export function sarif(problems: readonly Problem[]): string {
  const told = problems.slice(0, MOST_RESULTS);
  const codes = [...new Set(told.map(({ code }) => code))].sort();
  const seen = new Map<string, number>();
  return `${JSON.stringify(
    {
      $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 'paasta validate',
              informationUri: 'https://paasta.readthedocs.io',
              rules: codes.map((id) => ({ id, name: id, shortDescription: { text: words(id) } })),
            },
          },
          columnKind: 'unicodeCodePoints',
          results: told.map((found) => {
            const identity = createHash('sha256')
              .update([found.code, found.file ?? '', found.message].join('\0'))
              .digest('hex')
              .slice(0, 32);
            const count = (seen.get(identity) ?? 0) + 1;
            seen.set(identity, count);
            return {
              ruleId: found.code,
              ruleIndex: codes.indexOf(found.code),
              level: LEVELS[found.severity],
              message: { text: found.hint === undefined ? found.message : `${found.message}\n${found.hint}` },
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: uriOf(found.file ?? '.'), uriBaseId: '%SRCROOT%' },
                    region: { startLine: found.line ?? 1, ...(found.column === undefined ? {} : { startColumn: found.column }) },
                  },
                },
              ],
              partialFingerprints: { 'paastaProblem/v1': `${identity}:${String(count)}` },
            };
          }),
        },
      ],
    },
    null,
    2,
  )}\n`;
}

function uriOf(file: string): string {
  return file.split('/').map(encodeURIComponent).join('/');
}

/** `UNKNOWN_KEY` → `Unknown key`. */
function words(code: string): string {
  const text = code.toLowerCase().replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
