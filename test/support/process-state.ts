/** What the kernel says of a process. */
import { readFileSync } from 'node:fs';

/** `R`, `S`, `Z` …; `gone` when there is none. One that was ended stays as a zombie (`Z`) where nobody reaps orphans. */
export function stateOf(pid: string | number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .charAt(0);
  } catch {
    return 'gone';
  }
}
