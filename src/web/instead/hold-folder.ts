/** Instead of `files/hold-folder.ts`: one run, one writer, in whatever tab of the origin. */
import { InputError } from '../../errors.js';

export const LOCK = 'LOCK';

/** What is used of `navigator.locks`. */
interface Locks {
  request<T>(
    name: string,
    options: { ifAvailable: true },
    work: (lock: object | null) => Promise<T>,
  ): Promise<T>;
}

const held = new Set<string>();

/** Throws InputError where another call, or another tab, writes into the folder. */
export async function holdFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const taken = () =>
    new InputError(
      `${folder}: another call or another tab writes into this run; wait for its end, or name another`,
    );
  if (held.has(folder)) throw taken();
  const { locks } = (globalThis as { readonly navigator?: { readonly locks?: Locks } }).navigator ?? {};
  const hold = async (): Promise<T> => {
    held.add(folder);
    try {
      return await work();
    } finally {
      held.delete(folder);
    }
  };
  if (!locks) return hold();
  return locks.request(`lacuna ${folder}`, { ifAvailable: true }, async (lock) => {
    if (!lock) throw taken();
    return hold();
  });
}
