/** Help must not wait for the libraries that only some commands need. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadedModules } from './loaded-modules.js';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

it.each(['', 'pretrain', 'inspect', 'demo', 'report', 'export'])(
  'lacuna %s --help loads no heavy library',
  (name) => {
    const loaded = loadedModules(main, [...(name ? [name] : []), '--help']);
    expect(loaded).toContain('dist/cli/program.js');
    expect(loaded).not.toMatch(/node_modules\/(@duckdb|@rdkit|onnxruntime|vega|openchemlib|ml-matrix)/);
  },
);
