import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildFailure, type BuildOptions, build, type Message } from 'esbuild';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** A folder or top-level file of src imports only from itself and from what stands before it. */
const layers = [
  'errors',
  'version',
  'options',
  'tensor',
  'graph',
  'onnx',
  'cluster',
  'engine',
  'numerics',
  'search',
  'records',
  'layers',
  'tokenizers',
  'encoders',
  'objectives',
  'learning',
  'selection',
  'scoring',
  'molecules',
  'features',
  'probes',
  'finetuning',
  'transferability',
  'datasets',
  'config',
  'plugins',
  'sources',
  'files',
  'runs',
  'fit',
  'models',
  'serving',
  'report',
  'verification',
  'verbs',
  'demo',
  'benchmark',
  'sweep',
  'worker',
  'web',
  'index',
  'cli',
];

/** The only places that may name Node's own modules. */
const needsNode =
  /^(cluster\/mpi|engine\/(node|open-engine|graphics-cards)|report\/map-page|plugins|sources\/|files\/|runs\/|fit\/(saved-fit|exported-fit)|verbs\/|demo\/|benchmark\/|sweep\/(sweep|record|kept-trials|trial|trial-process)\.|serving\/|verification\/|worker\/|cli\/)/;

/** What a page needs: it must bundle for a browser, with all that it imports. */
const forBrowsers = [
  'learning/index.ts',
  'tokenizers/index.ts',
  'encoders/index.ts',
  'objectives/index.ts',
  'layers/index.ts',
  'scoring/index.ts',
  'probes/index.ts',
  'finetuning/labelled-training.ts',
  'finetuning/labelled-graph.ts',
  'finetuning/frozen-encoder.ts',
  'datasets/labelled-data.ts',
  'datasets/token-plan.ts',
  'models/tokenize.ts',
  'config/parse.ts',
  'config/defaults.ts',
  'records/open-bytes.ts',
  'records/profile.ts',
  'onnx/encode.ts',
  'engine/web.ts',
  'engine/device-engine.ts',
  'web/index.ts',
];

interface SourceFile {
  readonly path: string;
  readonly imports: readonly string[];
}

const files: SourceFile[] = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((path) => path.split(sep).join('/'))
  // A test may use anything, such as an engine to check a gradient.
  .filter((path) => path.endsWith('.ts') && !/\.(test|case)\.ts$/.test(path))
  .map((path) => ({ path, imports: importsOf(readFileSync(resolve(source, path), 'utf8')) }));

/** What a file imports, statically or not, types included. */
function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"]([^'"]+)['"]/g)].map(([, target]) => target);
}

function layerOf(path: string): string {
  return path.split('/')[0].replace(/\.ts$/, '');
}

/** What esbuild has against a module for a browser. */
async function bundle(contents: string) {
  const options: BuildOptions = {
    stdin: { contents, resolveDir: source, loader: 'ts' },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
    // RDKit comes as a script of its own, with its WebAssembly beside it.
    external: ['@rdkit/rdkit'],
  };
  const told = (messages: readonly Message[]) => messages.map(({ text }) => text);
  const result = await build(options).catch((failure: BuildFailure) => failure);
  return { errors: told(result.errors), warnings: told(result.warnings) };
}

describe('the layers of src', () => {
  it('finds imports of every form', () => {
    const text = `import a from 'a';\nimport type { B } from "./b.js";\nexport * from '../c.js';\nimport 'd';\nawait import('node:e');`;
    expect(importsOf(text)).toEqual(['a', './b.js', '../c.js', 'd', 'node:e']);
  });

  it('are all listed here', () => {
    expect(
      [...new Set(files.map(({ path }) => layerOf(path)))].filter((layer) => !layers.includes(layer)),
    ).toEqual([]);
  });

  it('import only from layers before them', () => {
    const wrong = files.flatMap((file) =>
      file.imports
        .filter((target) => target.startsWith('.'))
        .map((target) =>
          relative(source, resolve(source, dirname(file.path), target))
            .split(sep)
            .join('/'),
        )
        .filter(
          (target) =>
            layers.indexOf(layerOf(target.replace(/\.js$/, ''))) > layers.indexOf(layerOf(file.path)),
        )
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it.each(forBrowsers)('%s bundles for a browser, with all that it imports', async (entry) => {
    const { errors, warnings } = await bundle(`export * from ${JSON.stringify(`${source}/${entry}`)};`);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  });

  it('would not bundle with a module of Node, however deep it is imported', async () => {
    const { errors } = await bundle(`export * from ${JSON.stringify(`${source}/runs/folder.ts`)};`);
    expect(errors.join('\n')).toContain('node:fs');
  });

  it('use Node only where a browser never comes', () => {
    const wrong = files
      .filter((file) => !needsNode.test(file.path))
      .flatMap(({ path, imports }) =>
        imports.filter((target) => target.startsWith('node:')).map((target) => `${path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });
});
