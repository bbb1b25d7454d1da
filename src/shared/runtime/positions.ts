import { readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath } from 'node:url';

/**
 * A stack trace whose frames name our sources instead of positions in a bundle of one line. The bundle's map is read only
 * here, when something went wrong; frames without a map stay as they are.
 */
export function readableStack(stack: string): string {
  const maps = new Map<string, SourceMap | undefined>();
  // The look back takes the first slash of a path only: one start for each path, however long.
  return stack.replace(
    /(file:\/\/[^\s():]+\.js|\/(?<=(?<![^\s():])[^\s():/]*\/)[^\s():]+\.js):(\d+):(\d+)/g,
    (frame, file: string, line: string, column: string) => {
      if (!maps.has(file)) maps.set(file, mapOf(file));
      const origin = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1);
      if (origin === undefined || !('originalSource' in origin) || !origin.originalSource) return frame;
      return `${origin.originalSource}:${String(origin.originalLine + 1)}:${String(origin.originalColumn + 1)}`;
    },
  );
}

function mapOf(file: string): SourceMap | undefined {
  try {
    const path = file.startsWith('file:') ? fileURLToPath(file) : file;
    return new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return undefined;
  }
}
