import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { UserConfig } from '../config/schema.js';
import { loadRiskMolecules } from '../demo/molecules.js';
import { finetune } from '../verbs/finetune.js';
import { pretrain } from '../verbs/pretrain.js';
import { crc32c, EventFile } from './event-file.js';
import { readMetrics } from './metrics-log.js';

let folder: string;
let data: string;
const file = (...names: string[]) => join(folder, ...names);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lacuna-events-'));
  data = file('molecules.csv');
  const molecules = (await loadRiskMolecules()).filter((_, i) => i % 20 === 0).slice(0, 60);
  const parts = ['train', 'train', 'valid', 'test'];
  const rows = molecules.map(({ smiles }, i) => `${smiles},${smiles.length},${parts[i % 4]}`);
  await writeFile(data, ['smiles,letters,split', ...rows, ''].join('\n'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** CRC-32C bit by bit, as its polynomial is defined. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (((crc ^ (byte >>> bit)) & 1) * 0x82f63b78);
  return ~crc >>> 0;
}

type Field = number | Uint8Array;

/** The fields of a protobuf message, by number. */
function fieldsOf(bytes: Uint8Array): Map<number, Field[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = new Map<number, Field[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    let value: Field;
    if ((key & 7) === 0) value = varint();
    else {
      const length = { 1: 8, 5: 4 }[key & 7] ?? varint();
      at += length;
      if ((key & 7) === 1) value = view.getFloat64(at - 8, true);
      else if ((key & 7) === 5) value = view.getFloat32(at - 4, true);
      else value = bytes.subarray(at - length, at);
    }
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

const text = (field: Field | undefined) => new TextDecoder().decode(field as Uint8Array);

/** The events of a file, whose lengths and checksums are looked at. */
async function eventsOf(path: string) {
  const bytes = new Uint8Array(await readFile(path));
  const view = new DataView(bytes.buffer);
  const events: { step: number; version?: string; status?: Field; scalars: [string, number][] }[] = [];
  const unmasked = (at: number) => {
    const turned = (view.getUint32(at, true) - 0xa282ead8) >>> 0;
    return ((turned >>> 17) | (turned << 15)) >>> 0;
  };
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const message = bytes.subarray(at + 12, at + 12 + length);
    expect(unmasked(at + 8)).toBe(slowCrc(bytes.subarray(at, at + 8)));
    expect(unmasked(at + 12 + length)).toBe(slowCrc(message));
    at += length + 16;
    const fields = fieldsOf(message);
    expect(fields.get(1)![0]).toBeGreaterThan(1.7e9);
    const values = fields.get(5)?.flatMap((one) => fieldsOf(one as Uint8Array).get(1) ?? []) ?? [];
    events.push({
      step: (fields.get(2)?.[0] as number) ?? 0,
      ...(fields.has(3) && { version: text(fields.get(3)![0]) }),
      ...(fields.has(7) && { status: fieldsOf(fields.get(7)![0] as Uint8Array).get(1)![0] }),
      scalars: values.map((value) => {
        const own = fieldsOf(value as Uint8Array);
        return [text(own.get(1)![0]), own.get(2)![0] as number];
      }),
    });
  }
  return events;
}

const eventFiles = async (run: string) =>
  (await readdir(run))
    .filter((name) => name.startsWith('events.out.tfevents.'))
    .map((name) => join(run, name));

describe('the checksum', () => {
  it('is CRC-32C', () => {
    // The check value of the catalogue of parametrised CRC algorithms, and an example of RFC 3720, B.4.
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });
});

describe('an event file', () => {
  it('has the numbers of metrics.jsonl, and names its version first', async () => {
    const events = new EventFile(file('lines'));
    events.append({ step: 300, epoch: 2, loss: 0.5, device: 'cpu', val_loss: null, lr: 1e-3 });
    events.append({ step: 2 ** 40, epoch: 3, loss: Number.NaN });
    events.dispose();
    expect(await eventsOf(events.path)).toEqual([
      { step: 0, version: 'brain.Event:2', scalars: [] },
      {
        step: 300,
        scalars: [
          ['loss', 0.5],
          ['lr', Math.fround(1e-3)],
        ],
      },
      { step: 2 ** 40, scalars: [['loss', Number.NaN]] },
    ]);
    // One of the same second sorts after it, and takes back what comes after the step it goes on from.
    const next = new EventFile(file('lines'), 300);
    next.dispose();
    expect([next.path, events.path].sort()).toEqual([events.path, next.path]);
    expect((await eventsOf(next.path))[1]).toEqual({ step: 301, status: 1, scalars: [] });
  });
});

const config: UserConfig = {
  data: { ignore: ['letters'] },
  tokenizer: { max_tokens: 32 },
  encoder: { width: 8, heads: 2, layers: 1 },
  objective: { kind: 'random-masking' },
  training: { steps: 8, batch_size: 8, threads: 1, valid_steps: 4, checkpoint_steps: 3 },
};

/** What TensorBoard shows of a folder's files: later files take back what they do again. */
async function shown(run: string) {
  const lines = new Map<number, Record<string, number>>();
  for (const path of (await eventFiles(run)).sort())
    for (const { step, status, scalars, version } of await eventsOf(path)) {
      if (status === 1) for (const known of [...lines.keys()]) if (known >= step) lines.delete(known);
      if (version === undefined && status === undefined) lines.set(step, Object.fromEntries(scalars));
    }
  return [...lines].map(([step, scalars]) => ({ step, ...scalars }));
}

const logged = async (run: string) =>
  (await readMetrics(join(run, 'metrics.jsonl'))).map(({ epoch: _, ...line }) =>
    Object.fromEntries(
      Object.entries(line).flatMap(([name, value]) =>
        typeof value === 'number' ? [[name, name === 'step' ? value : Math.fround(value)]] : [],
      ),
    ),
  );

describe('a run with --tensorboard', () => {
  it('shows each step once, also where it was killed and resumed', async () => {
    const out = file('run');
    await pretrain({ data, out, config, tensorboard: true, until: 5 });
    // A killed process had gone further than its last checkpoint, and was in the middle of a line.
    const [first] = await eventFiles(out);
    const late = new EventFile(file('late'));
    late.append({ step: 6, loss: 9 });
    late.dispose();
    const { length } = await readFile(new EventFile(file('empty')).path);
    await appendFile(first, (await readFile(late.path)).subarray(length));
    await appendFile(join(out, 'metrics.jsonl'), '{"step":6,"loss":9}\n{"step"');
    await pretrain({ data, out, config, tensorboard: true, resume: true });
    expect(await eventFiles(out)).toHaveLength(2);
    expect(await shown(out)).toEqual(await logged(out));
    expect((await shown(out)).map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect((await eventsOf(first)).at(-1)).toEqual({ step: 6, scalars: [['loss', 9]] });
  });

  it('shows a run that is done, too, when it is resumed with it', async () => {
    const out = file('done');
    await pretrain({ data, out, config });
    expect(await eventFiles(out)).toEqual([]);
    await pretrain({ data, out, resume: true, tensorboard: true });
    expect(await shown(out)).toEqual(await logged(out));
  });

  it('of a fine-tuning shows each training in a folder of its own', async () => {
    const options = { steps: 6, seeds: 2, threads: 1, validations: 2 };
    await finetune({
      run: file('done'),
      data,
      targets: ['letters'],
      out: file('tuned'),
      config: options,
      tensorboard: true,
    });
    const folders = await readdir(file('tuned', 'tensorboard'));
    expect(folders.sort()).toEqual([
      'random-masking-seed-0',
      'random-masking-seed-1',
      'untrained-seed-0',
      'untrained-seed-1',
    ]);
    const [path] = await eventFiles(file('tuned', 'tensorboard', 'untrained-seed-1'));
    const tags = (await eventsOf(path)).flatMap(({ step, scalars }) =>
      scalars.map(([tag]) => `${step} ${tag}`),
    );
    expect(tags).toEqual(
      [1, 2, 3, 4, 5, 6].flatMap((step) => [
        `${step} loss`,
        `${step} lr`,
        ...(step % 3 === 0 ? [`${step} val_rmse`] : []),
      ]),
    );
  });
});
