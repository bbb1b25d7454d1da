import { appendFile, stat } from 'node:fs/promises';

/** GitHub drops the whole summary of a step that is larger. */
export const SUMMARY_LIMIT = 1024 * 1024;
const NOTE = '\n\n_The summary is longer than GitHub shows (1 MiB); the rest is in the log of this step._\n';

/**
 * Appends to the summary file of the step and stays within GitHub's limit: what does not fit is cut at the end of a line,
 * with a note. Returns false when something was cut.
 */
export async function appendSummary(path: string, markdown: string, limit: number = SUMMARY_LIMIT): Promise<boolean> {
  const text = markdown.endsWith('\n') ? markdown : `${markdown}\n`;
  const used = (await stat(path).catch(() => undefined))?.size ?? 0;
  const note = Buffer.byteLength(NOTE);
  const room = limit - used - note;
  if (Buffer.byteLength(text) <= room) {
    await appendFile(path, text);
    return true;
  }
  // Already full: the note stands there.
  if (room <= 0) return false;
  const head = Buffer.from(text).subarray(0, room);
  const end = head.lastIndexOf('\n');
  await appendFile(path, Buffer.concat([end === -1 ? Buffer.alloc(0) : head.subarray(0, end), Buffer.from(NOTE)]));
  return false;
}
