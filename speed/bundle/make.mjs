/** Makes a folder that measures Lacuna on a bare Linux machine with a GPU: `npm run speed:bundle -- --help` lists the options. */
import { execFileSync } from 'node:child_process';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadRiskMolecules } from '../../dist/demo/molecules.js';

const HELP = `npm run speed:bundle -- --out FOLDER [options]

Writes FOLDER/run.sh and what it needs, for x64 Linux without a network, Node or npm: this Node, the runtime's native library, the
built project, its dependencies that training needs, and 4,234 molecules. See docs/performance.md.

  --libraries FOLDER   shared libraries (.so) to take along, used where the machine has none of that name`;

const { values: options } = parseArgs({
  options: {
    out: { type: 'string' },
    libraries: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (options.help || options.out === undefined) {
  console.log(HELP);
  process.exit(options.help ? 0 : 2);
}
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    `a bundle is of this machine's Node, for x64 Linux; this is ${process.arch} ${process.platform}`,
  );
  process.exit(1);
}
const { out, libraries } = options;

/** Read only for formats, molecules and pictures that the measurements do not have; most of the size of all packages. */
const LEFT_OUT = new Set([
  '@duckdb/node-api',
  '@duckdb/node-bindings',
  '@rdkit/rdkit',
  'openchemlib',
  'read-excel-file',
  'sharp',
  'vega',
  'vega-lite',
  // Of the runtime's installer.
  'adm-zip',
  'global-agent',
]);

const root = fileURLToPath(new URL('../..', import.meta.url));
const staging = await mkdtemp(join(tmpdir(), 'lacuna-bundle-'));

/** Copies the files of a folder that the filter wants. */
const copyFolder = (
  /** @type {string} */ from,
  /** @type {string} */ to,
  /** @type {(path: string) => boolean} */ filter,
) => cp(from, to, { recursive: true, dereference: true, filter });

/** What only a compiler or a debugger reads, and what the other platforms need of the runtime. */
const isRun = (/** @type {string} */ path) =>
  !/\.(d\.ts|d\.mts|d\.cts|map|md|tsbuildinfo)$/.test(path) &&
  !/\/bin\/napi-v6\/(?!linux(\/x64(\/|$)|$))/.test(path);

/** The folder of a package as Node finds it from a folder above. */
async function packageFolder(/** @type {string} */ name, /** @type {string} */ from) {
  for (const folder of createRequire(join(from, 'package.json')).resolve.paths(name) ?? []) {
    const found = join(folder, name);
    if (await stat(join(found, 'package.json')).catch(() => undefined)) return found;
  }
  throw new Error(`${name}, which ${from} needs, is not installed; run npm ci`);
}

/** Copies the packages that one needs, and those that they need. Each is wanted in one version. */
async function copyPackages(/** @type {string} */ from, /** @type {Map<string, string>} */ copied) {
  const { dependencies = {} } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    if (LEFT_OUT.has(name)) continue;
    const folder = await packageFolder(name, from);
    const earlier = copied.get(name);
    if (earlier !== undefined && earlier !== folder)
      throw new Error(`${name} is needed in two versions: ${earlier} and ${folder}`);
    if (earlier !== undefined) continue;
    copied.set(name, folder);
    await copyFolder(folder, join(staging, 'node_modules', name), (path) => {
      const inside = path.slice(folder.length);
      return !inside.includes('/node_modules') && isRun(inside);
    });
    await copyPackages(folder, copied);
  }
}

try {
  await copyFile(process.execPath, join(staging, 'node'));
  await chmod(join(staging, 'node'), 0o755);
  await copyFile(join(root, 'package.json'), join(staging, 'package.json'));
  await copyFolder(join(root, 'dist'), join(staging, 'dist'), isRun);
  await copyFolder(
    join(root, 'speed'),
    join(staging, 'speed'),
    (path) => !/\/(\.venv|node_modules|__pycache__|tensorflow-js)$/.test(path),
  );
  await copyPackages(root, new Map());
  await mkdir(join(staging, 'data'));
  const molecules = await loadRiskMolecules();
  await writeFile(join(staging, 'data/molecules.smi'), molecules.map(({ smiles }) => `${smiles}\n`).join(''));

  // A package that is left out and needed after all is found here, not on the other machine.
  const tried = await mkdtemp(join(tmpdir(), 'lacuna-bundle-tried-'));
  const small = ['--steps', '1', '--batch-size', '2', '--width', '16', '--layers', '1'];
  for (const program of [
    ['speed/compare.mjs', '--help'],
    ['speed/agreement.mjs', '--help'],
    ['dist/cli/main.js', 'pretrain', 'data/molecules.smi', '--out', join(tried, 'run'), ...small],
  ])
    execFileSync(join(staging, 'node'), program, { cwd: staging, stdio: ['ignore', 'ignore', 'pipe'] });
  await rm(tried, { recursive: true });

  await mkdir(join(out, 'lib'), { recursive: true });
  const pack = 'tar -C "$1" -cf - . | gzip -9 > "$2"';
  execFileSync('sh', ['-ec', pack, 'sh', staging, join(out, 'lacuna.tar.gz')]);
  const script = join(out, 'run.sh');
  await copyFile(join(dirname(fileURLToPath(import.meta.url)), 'run.sh'), script);
  await chmod(script, 0o755);
  for (const name of libraries === undefined ? [] : await readdir(libraries))
    if (/\.so(\.|$)/.test(name)) await copyFile(join(String(libraries), name), join(out, 'lib', name));
} finally {
  await rm(staging, { recursive: true, force: true });
}

let bytes = 0;
for (const name of await readdir(out, { recursive: true })) bytes += (await stat(join(out, name))).size;
console.log(`${join(out, 'run.sh')} and what it needs: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
