/** Calls that write, failed in turn. A test mocks `node:fs` and `node:fs/promises` by what is here. */
import { expect } from 'vitest';
import { LacunaError } from '../src/errors.js';

/** Below `folder` the call number `at` fails, and those after it too where the fault `stays`. */
export const fault = { folder: ' ', at: Number.POSITIVE_INFINITY, stays: false, calls: 0, code: 'ENOSPC' };

function strike(syscall: string, path: unknown): void {
  if (!String(path).includes(fault.folder)) return;
  fault.calls++;
  if (fault.stays ? fault.calls < fault.at : fault.calls !== fault.at) return;
  throw Object.assign(new Error(`${fault.code}: injected, ${syscall} '${path}'`), {
    code: fault.code,
    syscall,
    path,
  });
}

/** `node:fs/promises`, of which what opens to write, writes, flushes, renames and makes folders may fail. */
export function failingPromises(real: typeof import('node:fs/promises')) {
  const failing = {
    ...real,
    async open(path: string, flags?: string, mode?: number) {
      if (flags !== undefined && flags !== 'r') strike('open', path);
      const file = await real.open(path, flags, mode);
      return new Proxy(file, {
        get(target, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return async (...args: unknown[]) => {
            if (['write', 'writeFile', 'sync'].includes(String(name))) strike(String(name), path);
            return value.apply(target, args);
          };
        },
      });
    },
    async mkdir(...args: Parameters<typeof real.mkdir>) {
      strike('mkdir', args[0]);
      return real.mkdir(...args);
    },
    async rename(...args: Parameters<typeof real.rename>) {
      strike('rename', args[0]);
      return real.rename(...args);
    },
  };
  return { ...failing, default: failing };
}

/** `node:fs` likewise. */
export function failingFs(real: typeof import('node:fs')) {
  const paths = new Map<number, string>();
  const failing = {
    ...real,
    openSync(path: string, flags: string) {
      strike('open', path);
      const file = real.openSync(path, flags);
      paths.set(file, path);
      return file;
    },
    writeSync(file: number, ...args: [NodeJS.ArrayBufferView, number]) {
      strike('write', paths.get(file));
      return real.writeSync(file, ...args);
    },
    fsyncSync(file: number) {
      strike('fsync', paths.get(file));
      return real.fsyncSync(file);
    },
  };
  return { ...failing, default: failing };
}

/**
 * Calls `act` with a fault in the writes below `out`, `every` so many calls later each time, until it meets none; `after`
 * looks at what is left each time, and `clear` removes it. Gives the number of calls that write.
 */
export async function failInTurn(
  out: string,
  { stays, every }: { stays: boolean; every: number },
  act: () => Promise<unknown>,
  after: (at: number) => Promise<unknown>,
  clear: () => Promise<void>,
): Promise<number> {
  for (let at = 1; ; at += every) {
    Object.assign(fault, { folder: out, at, stays, calls: 0, code: at % 2 ? 'ENOSPC' : 'EIO' });
    const error = await act().then(
      () => undefined,
      (error) => error,
    );
    const met = fault.calls >= at;
    fault.at = Number.POSITIVE_INFINITY;
    if (met) {
      expect(error, `call ${at}`).toBeInstanceOf(LacunaError);
      expect(error.message).toMatch(/could not write .*: the disk (is full|reported an error)/);
      expect(error.message).not.toContain('\n');
    } else expect(error).toBe(undefined);
    await after(at);
    await clear();
    if (!met) return at;
  }
}
