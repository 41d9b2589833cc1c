import { spawnSync } from 'node:child_process';

/** Prints the address of every module that is loaded to stderr. */
const hooks =
  'export async function load(url, context, next) { process._rawDebug(url); return next(url, context); }';
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const register = dataUrl(
  `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`,
);

/** What a program of ours writes to stderr, and the addresses of all modules it loads, one a line. Throws Error when it fails. */
export function loadedModules(program: string, args: readonly string[]): string {
  const { status, stderr } = spawnSync(process.execPath, ['--import', register, program, ...args], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`ended with ${status}: ${stderr.split('\n').slice(-5).join('\n')}`);
  return stderr;
}
