import { readdirSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** A folder or top-level file of src imports only from itself and from what stands before it. */
const layers = [
  'errors',
  'version',
  'tensor',
  'graph',
  'onnx',
  'engine',
  'records',
  'layers',
  'tokenizers',
  'encoders',
  'objectives',
  'learning',
  'numerics',
  'scoring',
  'probes',
  'finetuning',
  'molecules',
  'datasets',
  'config',
  'files',
  'sources',
  'runs',
  'verbs',
  'report',
  'demo',
  'benchmark',
  'worker',
  'index',
  'cli',
];

/** The only places that may name Node's own modules; all else also runs in a browser. */
const needsNode =
  /^(engine\/node|files\/|sources\/|runs\/|verbs\/|demo\/|benchmark\/|worker\/|cli\/|config\/file)/;

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

  it('use Node only where a browser never comes', () => {
    const wrong = files
      .filter((file) => !needsNode.test(file.path))
      .flatMap(({ path, imports }) =>
        imports.filter((target) => target.startsWith('node:')).map((target) => `${path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });
});
