/** Makes the page: one folder that any file server can hold. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleWorker } from './worker-bundle.mjs';

const page = fileURLToPath(new URL('page/', import.meta.url));
const runtime = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));

/** Nothing but the folder's own files is ever asked for. A worker of a blob keeps to what its page keeps to. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const RUNTIME_FILES = [
  'ort.wasm.bundle.min.mjs',
  'ort-wasm-simd-threaded.mjs',
  'ort-wasm-simd-threaded.wasm',
];

/** Kept with the page once a GPU has been computed on. */
const GPU_FILES = [
  'ort.webgpu.bundle.min.mjs',
  'ort-wasm-simd-threaded.asyncify.mjs',
  'ort-wasm-simd-threaded.asyncify.wasm',
];

/** Molecules of openchemlib's lists of risks, every second one. */
async function moleculeSample() {
  const { loadRiskMolecules } = await import('../dist/demo/molecules.js');
  const molecules = await loadRiskMolecules();
  const rows = molecules
    .filter((_, i) => i % 2 === 0)
    .map(({ smiles, mutagenic }) => `${smiles},${mutagenic ? 'yes' : 'no'}\n`);
  return `smiles,mutagenic\n${rows.join('')}`;
}

/**
 * Writes the folder anew.
 * @param {string} outdir
 */
export async function bundlePage(outdir) {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(join(outdir, 'samples'), { recursive: true });
  await build({
    entryPoints: { page: join(page, 'main.tsx') },
    outdir,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  });
  await bundleWorker(outdir);
  for (const file of [...RUNTIME_FILES, ...GPU_FILES]) copyFileSync(join(runtime, file), join(outdir, file));
  for (const file of readdirSync(join(page, 'samples')))
    if (file.endsWith('.csv')) copyFileSync(join(page, 'samples', file), join(outdir, 'samples', file));
  writeFileSync(join(outdir, 'samples/molecules.csv'), await moleculeSample());
  writeFileSync(
    join(outdir, 'index.html'),
    readFileSync(join(page, 'index.html'), 'utf8').replace('%POLICY%', POLICY),
  );
  const files = readdirSync(outdir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(join(outdir, '/').length))
    .sort();
  const sum = createHash('sha256');
  for (const file of files) sum.update(file).update(readFileSync(join(outdir, file)));
  await build({
    entryPoints: [join(page, 'service-worker.ts')],
    outfile: join(outdir, 'service-worker.js'),
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2022',
    define: {
      FILES: JSON.stringify(['./', ...files.filter((file) => !GPU_FILES.includes(file))]),
      GPU_FILES: JSON.stringify(GPU_FILES),
      VERSION: JSON.stringify(sum.digest('hex').slice(0, 16)),
      POLICY: JSON.stringify(POLICY),
    },
    logLevel: 'warning',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundlePage(process.argv[2] ?? 'web/dist');
