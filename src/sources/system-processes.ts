/** Which processes of this machine are alive, told apart from later ones of the same number. */
import { readFileSync } from 'node:fs';

/**
 * What a living process is known by; undefined where there is none of this number. On Linux its start counts too, since
 * numbers are given out again; elsewhere all living processes of a number are the same.
 */
export function processIdentity(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name, which is in parentheses and may hold spaces: the state is field 3, the start field 22.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `started at tick ${fields[19]}`;
  } catch {
    return 'alive';
  }
}
