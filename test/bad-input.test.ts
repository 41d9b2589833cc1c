/** Bad input through the built command: one line that says where and what to do, the right exit code, no half-written run. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lacuna-bad-input-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  /** Lines of stderr that are not progress: what went wrong. */
  readonly complaints: string[];
  readonly stderr: string;
}

/** Runs a command in the folder of this test. */
function command(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      const lines = stderr.split('\n').filter((line) => line !== '');
      resolve({ code, complaints: lines.filter((line) => line.startsWith('lacuna: ')), stderr });
    });
  });
}

const lacuna = (...args: string[]) => command(process.execPath, [main, ...args]);

const tiny =
  '--width 16 --layers 1 --latents 4 --heads 2 --steps 3 --warmup-steps 0 --batch-size 8 --threads 1'.split(
    ' ',
  );

/** Real rows of ESOL: molecules and their solubility in water. */
const molecules = `OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O ,-0.77
Cc1occc1C(=O)Nc2ccccc2,-3.3
CC(C)=CCCC(C)=CC(=O),-2.06
c1ccc2c(c1)ccc3c2ccc4c5ccccc5ccc43,-7.87
c1ccsc1,-1.33
c2ccc1scnc1c2 ,-1.5
Clc1cc(Cl)c(c(Cl)c1)c2c(Cl)cccc2Cl,-7.32
CC12CCC3C(CCc4cc(O)ccc34)C2CCC1O,-5.03
ClC4=C(Cl)C5(Cl)C3C1CC(C2OC12)C3C4(Cl)C5(Cl)Cl,-6.29
COc5cc4OCC3Oc2c1CC(Oc1ccc2C(=O)C3c4cc5OC)C(C)=C ,-4.42
O=C1CCCN1,1.07
Clc1ccc2ccccc2c1,-4.14`.split('\n');
const rows = Array.from({ length: 5 }, (_, copy) =>
  molecules.map((row) => `${'C'.repeat(copy)}${row}`),
).flat();
const table = ['smiles,log_solubility', ...rows, ''].join('\n');

const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return name;
};

const partialFiles = (run: string): string[] =>
  readdirSync(join(folder, run), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.partial'),
  );

beforeAll(async () => {
  if (!existsSync(main)) throw new Error('dist/ is missing; run npm run build first');
  file('good.csv', table);
  const { code, stderr } = await lacuna('pretrain', 'good.csv', '--out', 'good', ...tiny);
  expect(code, stderr).toBe(0);
});

describe('data that cannot be learned from', () => {
  const binary = Uint8Array.from({ length: 3000 }, (_, i) => (i * i * 31 + 7 * i + 200) & 255);
  it.each<[string, string, string | Uint8Array, RegExp]>([
    [
      'a ragged table',
      'ragged.csv',
      'a,b\n1,2\n3\n4,5,6\n',
      /ragged\.csv: line 3: expected 2 columns, got 1; .*--on-bad-record skip/,
    ],
    ['binary junk', 'junk.csv', binary, /junk\.csv: binary data .*expected csv text/],
    ['an empty file', 'empty.csv', '', /empty\.csv: empty file; expected records/],
    ['a header alone', 'header.csv', 'a,b\n', /header\.csv: .*record/],
    [
      'a truncated gzip',
      'cut.csv.gz',
      gzipSync(table).subarray(0, 300),
      /cut\.csv\.gz: the gzip stream ends too early; .*download it again/,
    ],
    ['a text named .gz', 'text.csv.gz', table, /text\.csv\.gz: named \.gz but not gzip; rename it/],
    [
      'a line longer than can be held',
      'long.csv',
      `${table}${'C'.repeat(20_000_000)},1\n`,
      /long\.csv: a line is longer than 16 MiB; shorten it/,
    ],
    [
      'a lone column of numbers',
      'lone.csv',
      `x\n${rows.map((_, i) => (i * i) % 7).join('\n')}\n`,
      /lone\.csv: a record would be a single token .*--columns/,
    ],
    [
      'only a label',
      'label.csv',
      `label\n${rows.map((_, i) => i % 2).join('\n')}\n`,
      /label\.csv: no column is left to learn from .*--columns/,
    ],
  ])('%s is refused', async (_, name, content, message) => {
    const run = `run of ${name}`;
    const { code, complaints, stderr } = await lacuna('pretrain', file(name, content), '--out', run, ...tiny);
    expect(code, stderr).toBe(2);
    expect(complaints).toEqual([expect.stringMatching(message)]);
    expect(existsSync(join(folder, run))).toBe(false);
  });

  it.each<[string, string[], RegExp]>([
    ['a file that is not there', ['none.csv'], /none\.csv: no such file; check the path/],
    [
      'a column that does not exist',
      ['good.csv', '--columns', 'nope'],
      /good\.csv: there is no column "nope"; the columns are smiles, log_solubility/,
    ],
    [
      'a split column that does not exist',
      ['good.csv', '--split-column', 'nope'],
      /good\.csv: there is no column "nope" to split by/,
    ],
    [
      'a misspelt key',
      ['good.csv', '--set', 'encoder.widht=3'],
      /--set encoder\.widht: unknown key; did you mean encoder\.width\?/,
    ],
    [
      'a misspelt key of a file',
      ['good.csv', '--config', 'bad.yaml'],
      /bad\.yaml:3:3: encoder\.widht: unknown key; did you mean encoder\.width\?/,
    ],
    [
      'a value of the wrong type',
      ['good.csv', '--set', 'training.steps=many'],
      /--set training\.steps: .*"many"/,
    ],
  ])('%s is refused', async (_, args, message) => {
    file('bad.yaml', 'encoder:\n  width: 16\n  widht: 3\n');
    const { code, complaints, stderr } = await lacuna('pretrain', ...args, '--out', 'never', ...tiny);
    expect(code, stderr).toBe(2);
    expect(complaints).toEqual([expect.stringMatching(message)]);
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });
});

describe('odd data that can be learned from', () => {
  it('missing cells are tokens of their own', async () => {
    const cells = rows.map((_, i) => `${i % 9 === 0 ? 'NaN' : Math.sin(i)},${i % 7 === 0 ? '' : i % 5}`);
    const { code, complaints, stderr } = await lacuna(
      'pretrain',
      file('missing.csv', `a,b\n${cells.join('\n')}\n`),
      '--out',
      'missing',
      ...tiny,
    );
    expect(code, stderr).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('a line of 10 MB is cropped', async () => {
    const data = file('crop.csv', `${table}${'C'.repeat(10_000_000)},1\n`);
    const { code, stderr } = await lacuna('pretrain', data, '--out', 'crop', ...tiny);
    expect(code, stderr).toBe(0);
  });

  it('inspect counts bad records instead of stopping at them', async () => {
    const data = file('mixed.csv', `${table}CCO,1,2\nCCN\n`);
    const { code, stderr } = await lacuna('inspect', data);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain('2 unreadable');
    expect(stderr).toContain('unreadable: line 62: expected 2 columns, got 3');
    expect(stderr).toContain('tokenizer: sequence on smiles');
  });
});

describe('a finished run', () => {
  it('embeds a letter it has never seen as unknown, or says where it is and leaves its record out', async () => {
    const data = file('letters.csv', 'smiles\nCCO\nCC~O\n');
    const embed = (...options: string[]) =>
      lacuna('embed', 'good', data, '-o', 'letters.csv.out.csv', ...options);
    const kept = await embed();
    expect(kept.code, kept.stderr).toBe(0);
    expect(kept.stderr).toContain('2 records');
    const skipped = await embed('--on-unknown', 'fail', '--on-bad-record', 'skip');
    expect(skipped.code, skipped.stderr).toBe(0);
    expect(skipped.stderr).toMatch(/1 record was left out, the first: .*letters\.csv: .*"smiles": .*"~"/);
  });

  it('is never written over what it reads, not even by a link', async () => {
    const data = file('precious.csv', 'smiles\nCCO\nCCC\n');
    symlinkSync(join(folder, 'precious.csv'), join(folder, 'link.csv'));
    symlinkSync('/dev/null', join(folder, 'null.csv'));
    for (const out of [data, 'link.csv', 'null.csv']) {
      const { code, complaints } = await lacuna('embed', 'good', data, '-o', out);
      expect(code).toBe(2);
      expect(complaints).toEqual([expect.stringMatching(/name another output|name a file/)]);
    }
    expect(readFileSync(join(folder, 'precious.csv'), 'utf8')).toBe('smiles\nCCO\nCCC\n');
  });

  it('is not written over', async () => {
    const { code, complaints } = await lacuna('pretrain', 'good.csv', '--out', 'good', ...tiny);
    expect(code).toBe(2);
    expect(complaints).toEqual([expect.stringMatching(/good: this folder is not empty; .*--resume.*--out/)]);
  });

  it('goes on from the checkpoint before a truncated one, and is refused without any', async () => {
    cpSync(join(folder, 'good'), join(folder, 'cut'), { recursive: true });
    rmSync(join(folder, 'cut', 'DONE'));
    const checkpoints = readdirSync(join(folder, 'cut', 'checkpoints')).map((name) =>
      join(folder, 'cut', 'checkpoints', name),
    );
    expect(checkpoints).toHaveLength(2);
    truncateSync(checkpoints[1], 5000);
    const resumed = await lacuna('pretrain', 'good.csv', '--out', 'cut', '--resume');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toMatch(/warning: .*step-00000003\.safetensors: truncated/);

    for (const checkpoint of checkpoints) truncateSync(checkpoint, 5000);
    for (const args of [
      ['pretrain', 'good.csv', '--out', 'cut', '--resume'],
      ['embed', 'cut', 'good.csv', '-o', 'cut.npy'],
    ]) {
      const { code, complaints, stderr } = await lacuna(...args);
      expect(code, stderr).toBe(1);
      expect(complaints).toEqual([
        expect.stringMatching(/checkpoints: none of the 2 checkpoints is intact; restore one/),
      ]);
    }
    expect(existsSync(join(folder, 'cut.npy'))).toBe(false);
  });
});

describe.skipIf(process.platform === 'win32')('a disk that is full', () => {
  /** Single-quoted for a shell. */
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
  const pretrainTo = (out: string) =>
    [process.execPath, main, 'pretrain', 'good.csv', '--out', out, ...tiny].map(quote).join(' ');

  it('at the first checkpoint leaves a run that starts anew on --resume', async () => {
    // No file may grow beyond 20 blocks: what is small is written, a checkpoint is not.
    const { code, complaints, stderr } = await command('sh', ['-c', `ulimit -f 20; ${pretrainTo('full')}`]);
    expect(code, stderr).toBe(1);
    expect(complaints).toEqual([
      expect.stringMatching(/step-00000001\.safetensors: could not write .*choose another folder/),
    ]);
    expect(partialFiles('full')).toEqual([]);
    const resumed = await lacuna('pretrain', 'good.csv', '--out', 'full', '--resume');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(existsSync(join(folder, 'full', 'DONE'))).toBe(true);
  });

  it('is named where a small disk can be mounted', async ({ skip }) => {
    const mount = 'mkdir -p small && mount -t tmpfs -o size=64k tmpfs small';
    const inside = (script: string) =>
      command('unshare', ['--mount', '--map-root-user', 'sh', '-c', script]).catch(() => undefined);
    if ((await inside(mount))?.code !== 0) skip();
    const outcome = await inside(`${mount} && ${pretrainTo('small/run')}`);
    expect(outcome).toMatchObject({
      code: 1,
      complaints: [expect.stringMatching(/could not write .*the disk is full; free some space/)],
    });
  });
});
