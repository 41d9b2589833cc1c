/** What the verbs use of `node:path` and `node:url`. */

export const sep = '/';

/** `.` and `..` are resolved, and nothing leads above the first folder. */
export function join(...parts: readonly string[]): string {
  const names: string[] = [];
  for (const name of parts.join('/').split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names.join('/');
}

export const resolve = (...parts: readonly string[]): string => join(...parts);

export const basename = (path: string): string => join(path).split('/').at(-1) ?? '';

export const dirname = (path: string): string => join(path).split('/').slice(0, -1).join('/');

export const fileURLToPath = ({ href }: URL): string => href;
