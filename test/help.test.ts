/** Help must not wait for the libraries that only some commands need. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** Prints the address of every module that is loaded to stderr. */
const hooks =
  'export async function load(url, context, next) { process._rawDebug(url); return next(url, context); }';
const dataUrl = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;
const register = dataUrl(
  `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hooks))});`,
);

it.each(['', 'pretrain', 'inspect', 'demo', 'report', 'export'])(
  'lacuna %s --help loads no heavy library',
  (name) => {
    const args = [
      '-c',
      '"$0" --import "$1" "$2" $3 --help 2>&1 >/dev/null',
      process.execPath,
      register,
      main,
      name,
    ];
    const loaded = execFileSync('sh', args, { encoding: 'utf8' });
    expect(loaded).toContain('dist/cli/program.js');
    expect(loaded).not.toMatch(/node_modules\/(@duckdb|@rdkit|onnxruntime|vega|openchemlib|ml-matrix)/);
  },
);
