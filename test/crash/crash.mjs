// @ts-nocheck: plain JavaScript that runs what is built
/** Commands that are killed at random moments, gone on with, and compared with what they give undisturbed. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { objectives } from '../../dist/objectives/index.js';
import { random } from '../../dist/tensor/random.js';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Runs a command in a folder, until `killAfter` ms at most; its exit code, or undefined where it was killed. */
function lacuna(folder, args, killAfter) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const timer = killAfter === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfter);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: signal === 'SIGKILL' ? undefined : code, said });
    });
  });
}

const MODEL = '--width 16 --layers 1 --heads 2 --batch-size 16 --threads 1'.split(' ');
const PRETRAIN = [
  ...MODEL,
  '--steps',
  '40',
  '--valid-steps',
  '10',
  '--checkpoint-steps',
  '5',
  '--log-steps',
  '1',
];

/**
 * The commands by name. `args` writes into `out`; where what is there may be gone on with, `resume` is added after a kill,
 * and else the command is called again.
 */
const commands = {
  ...Object.fromEntries(
    Object.keys(objectives).map((objective) => [
      `pretrain ${objective}`,
      {
        args: ['pretrain', 'table.csv', '--objective', objective, '--out', 'out', ...PRETRAIN],
        resume: ['--resume'],
      },
    ]),
  ),
  'pretrain self-distillation': {
    args: [
      ...'pretrain molecules.csv --ignore y --objective self-distillation --from run --out out'.split(' '),
      ...PRETRAIN,
    ],
    resume: ['--resume'],
  },
  finetune: {
    args: [
      'finetune',
      'run',
      'molecules.csv',
      '--target',
      'y',
      '--out',
      'out',
      '--epochs',
      '3',
      '--threads',
      '1',
    ],
    resume: ['--resume'],
  },
  fit: {
    args: ['fit', 'molecules.csv', '--target', 'y', '--out', 'out', '--threads', '1'],
    resume: ['--resume'],
  },
  'embed to csv': { args: ['embed', 'run', 'molecules.csv', '--out', 'out.csv'] },
  'embed to parquet': { args: ['embed', 'run', 'molecules.csv', '--out', 'out.parquet'] },
  'embed to npy': { args: ['embed', 'run', 'molecules.csv', '--out', 'out.npy'] },
  predict: { args: ['predict', 'tuned', 'molecules.csv', '--out', 'out.csv'] },
  export: { args: ['export', 'run', '--out', 'out'] },
  bench: {
    args: [
      ...'bench table.csv --target e --out out --budget 0.01 --threads 1 --only'.split(' '),
      'method=constant,method=from scratch,method=SMA',
    ],
  },
  sweep: { args: ['sweep', 'sweep.json', '--out', 'out'] },
};
export const commandNames = Object.keys(commands);

/** Data, and runs that some commands begin with. */
export async function prepare(folder) {
  const { integer, uniform } = random(1, 'crash');
  const letters = () => Array.from({ length: 4 + integer(12) }, () => 'CNOS'[integer(4)]).join('');
  const molecules = Array.from({ length: 300 }, () => `${letters()},${integer(50)}\n`);
  writeFileSync(join(folder, 'molecules.csv'), `smiles,y\n${molecules.join('')}`);
  const cells = Array.from(
    { length: 300 },
    () => `${uniform()},${uniform()},${'abc'[integer(3)]},${integer(9)},${uniform()}\n`,
  );
  writeFileSync(join(folder, 'table.csv'), `a,b,c,d,e\n${cells.join('')}`);
  writeFileSync(
    join(folder, 'sweep.json'),
    JSON.stringify({
      data: { path: 'table.csv' },
      encoder: { width: 16, layers: 1, heads: 2 },
      training: { steps: 12, batch_size: 16, threads: 1, valid_steps: 6, checkpoint_steps: 3 },
      search: { 'training.learning_rate': [1e-3, 3e-3, 1e-2] },
      sweep: { method: 'grid' },
    }),
  );
  for (const args of [
    ['pretrain', 'molecules.csv', '--ignore', 'y', '--out', 'run', ...PRETRAIN],
    ['finetune', 'run', 'molecules.csv', '--target', 'y', '--out', 'tuned', '--epochs', '1', '--seeds', '1'],
  ]) {
    const { code, said } = await lacuna(folder, args);
    if (code !== 0) throw new Error(`the run to begin with failed: ${said}`);
  }
}

/** What `prepare` leaves, which commands read. */
const INPUTS = ['molecules.csv', 'table.csv', 'sweep.json', 'run', 'tuned'];

/** What a clock says, and what a machine has. */
const CLOCKED =
  /^(seconds|seconds_choosing|samples_per_second|data_wait|peak_memory_mib|created|date|duration)$/;
const withoutClock = (text) =>
  JSON.stringify(JSON.parse(text, (key, value) => (CLOCKED.test(key) ? undefined : value)));

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The names that a manifest lists, and whether each file is the one: its sum follows the clock where the file does. */
const withoutSums = (text, folder) =>
  text.replaceAll(/^([0-9a-f]{64}) {2}(.+)$/gm, (_, digest, name) => {
    return `${name} ${digest === digestOf(readFileSync(join(folder, name)))}`;
  });

/** The files of a folder by name, without what the clock decides; of its checkpoints the newest. */
function outcome(folder) {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));
  const checkpoints = names.filter((name) => name.includes('checkpoints/')).sort();
  const found = {};
  for (const name of names.sort()) {
    if (INPUTS.includes(name.split('/')[0]) || (checkpoints.includes(name) && name !== checkpoints.at(-1)))
      continue;
    const bytes = readFileSync(join(folder, name));
    const plain = name.endsWith('.json')
      ? withoutClock(bytes.toString().replaceAll(JSON.stringify(folder).slice(1, -1), '.'))
      : name.endsWith('.jsonl')
        ? bytes.toString().trim().split('\n').map(withoutClock).join('\n')
        : name.endsWith('SHA256SUMS')
          ? withoutSums(bytes.toString(), dirname(join(folder, name)))
          : bytes;
    found[name] = digestOf(plain);
  }
  return found;
}

const freshFolder = (base, name) => {
  const folder = join(base, name);
  mkdirSync(folder);
  for (const input of INPUTS) cpSync(join(base, input), join(folder, input), { recursive: true });
  return folder;
};

const undisturbed = new Map();

/** What a command gives by itself and how long it takes; undefined where it refuses the data. */
async function reference(base, name) {
  if (!undisturbed.has(name)) {
    const folder = freshFolder(base, `whole ${name}`);
    const begun = performance.now();
    const { code } = await lacuna(folder, commands[name].args);
    undisturbed.set(
      name,
      code === 0 ? { outcome: outcome(folder), ms: performance.now() - begun } : undefined,
    );
  }
  return undisturbed.get(name);
}

/** What is said of a command that was killed after its last step: of `export`, whose folder gets its name at the end. */
const DONE = /is done, so there is nothing to go on with|this folder is not empty/;

const differences = (one, other) =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => one[name] !== other[name]);

/**
 * One command, killed once to three times and then gone on with to its end.
 * @returns the files that differ, or why it did not end; undefined where the command refuses the data
 */
export async function crash(base, name, number) {
  const whole = await reference(base, name);
  if (!whole) return undefined;
  const { integer } = random(1, `crash ${name} ${number}`);
  const folder = freshFolder(base, `${number} ${name}`);
  const { args, resume = [] } = commands[name];
  let killed = 0;
  for (let left = 1 + integer(3), done = false; !done; left--) {
    const after = left > 0 ? integer(Math.ceil(whole.ms)) : undefined;
    const { code, said } = await lacuna(folder, [...args, ...(killed > 0 ? resume : [])], after);
    // Some are faster than their death.
    if (code === undefined) killed++;
    else if (code === 0 || (killed > 0 && DONE.test(said))) done = true;
    else return { killed, wrong: [`exit code ${code}: ${said.trim()}`] };
  }
  return { killed, wrong: differences(outcome(folder), whole.outcome) };
}
