/** Bundles the worker of `lacuna/web`: the verbs as they are, with other modules in the place of those that need Node. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = fileURLToPath(new URL('../src', import.meta.url));

/**
 * What stands in src/web/instead for a module of Node, of the project, or of a dependency.
 * @type {Readonly<Record<string, string>>}
 */
const instead = {
  'node:crypto': 'crypto',
  'node:fs/promises': 'fs-promises',
  'node:path': 'path',
  'node:url': 'path',
  '@rdkit/rdkit': 'rdkit-module',
  yaml: 'yaml',
  zod: 'zod',
  'engine/node': 'node',
  'engine/open-engine': 'open-engine',
  'files/append-file': 'append-file',
  'files/atomic-file': 'atomic-file',
  'files/hold-folder': 'hold-folder',
  'files/refuse-overwrite': 'refuse-overwrite',
  'files/staged-parquet': 'staged-parquet',
  'files/table-files': 'table-files',
  'files/vector-files': 'vector-files',
  'molecules/descriptors': 'descriptors',
  'runs/event-file': 'event-file',
  'sources/checksum': 'checksum',
  'sources/data-files': 'data-files',
  'sources/disk-file': 'disk-file',
  'sources/images': 'images',
  'sources/open-source': 'open-source',
  'sources/partial-names': 'partial-names',
  'sources/unchanged': 'unchanged',
};

/** @type {import('esbuild').Plugin} */
const withInstead = {
  name: 'instead',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ path, importer, resolveDir, kind }) => {
      if (kind === 'entry-point') return undefined;
      // What stands for a module may build on it.
      if (importer.startsWith(`${source}${sep}web${sep}`)) return undefined;
      const own = path.startsWith('.')
        ? relative(source, resolve(resolveDir, path)).split(sep).join('/').replace(/\.js$/, '')
        : path;
      const found = Object.hasOwn(instead, own) ? instead[own] : undefined;
      return found ? { path: `${source}/web/instead/${found}.ts` } : undefined;
    });
  },
};

/**
 * zod speaks English alone.
 * @type {import('esbuild').Plugin}
 */
const inEnglish = {
  name: 'in English',
  setup({ onLoad }) {
    onLoad({ filter: /zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    }));
  },
};

/** What a session runs from its beginning to a trained network, of a table; each path is one that is imported when it is needed. */
const CORE = ['verbs/inspect', 'verbs/pretrain', 'records/readers/delimited'];

/**
 * Code that every session loads lies in one piece: esbuild parts code by which pieces need it, and so each of those that are loaded
 * later is made to need all of it.
 * @param {ReadonlySet<string>} later the modules that are loaded when they are first needed
 * @returns {import('esbuild').Plugin}
 */
const withCore = (later) => ({
  name: 'core',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^core:/ }, ({ path }) => ({
      path: `${source}/${path.slice('core:'.length)}.ts`,
      // An import of nothing is left out otherwise.
      sideEffects: true,
    }));
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      if (!later.has(path)) return undefined;
      const imports = CORE.map((module) => `import 'core:${module}';`).join('');
      return { contents: `${imports}${readFileSync(path, 'utf8')}`, loader: 'ts' };
    });
  },
});

/**
 * Writes worker.js and the pieces that it loads when they are first needed.
 * @param {string} outdir
 * @returns the sizes by file, and what each is made of, as esbuild tells it
 */
export async function bundleWorker(outdir) {
  mkdirSync(outdir, { recursive: true });
  for (const name of readdirSync(outdir))
    if (/^worker(-[A-Z0-9]{8})?\.js$/.test(name)) rmSync(`${outdir}/${name}`);
  const parted = /** @type {const} @satisfies {import('esbuild').BuildOptions} */ ({
    entryPoints: { worker: `${source}/web/worker-thread.ts` },
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    chunkNames: 'worker-[hash]',
    // Never loaded: the writer of Parquet, which is refused before.
    external: ['@duckdb/node-bindings'],
    metafile: true,
    logLevel: 'warning',
    absWorkingDir: dirname(source),
  });
  const plugins = [withInstead, inEnglish];
  const first = await build({ ...parted, plugins, write: false });
  const later = Object.values(first.metafile.outputs).flatMap(({ entryPoint }) => entryPoint ?? []);
  const paths = new Set(later.map((path) => resolve(dirname(source), path)));
  const { metafile } = await build({ ...parted, plugins: [...plugins, withCore(paths)] });
  return metafile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleWorker(process.argv[2] ?? 'dist/web');
