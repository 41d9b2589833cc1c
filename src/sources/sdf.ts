/** SD files of molecules: a MOL block (V2000 or V3000), then tags with values, then a line `$$$$`. */
import type { MainModule } from '@rdkit/rdkit';
import { InputError } from '../errors.js';
import { loadRDKit, useMolecule } from '../molecules/rdkit.js';
import type { ByteFile } from '../records/bytes/byte-file.js';
import { isDamagedText, lineChunks } from '../records/bytes/bytes.js';
import { CellBatch } from '../records/cell-batch.js';
import { isRounded, MISSING_WORDS } from '../records/cells/cell-format.js';
import { isCode } from '../records/cells/infer-format.js';
import {
  type CellCounts,
  isNumeric,
  LateFinds,
  lateNames,
  type Reader,
  SAMPLE_RECORDS,
} from '../records/reader.js';
import type { ColumnInfo } from '../records/record-batch.js';

const missing = new Set(['', ...MISSING_WORDS]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const isNumber = (cell: string): boolean => NUMBER.test(cell) && !isRounded(cell);
const orMissing = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** A longer record is none: `$$$$` is missing. */
const MAX_RECORD_CHARACTERS = 1 << 26;

interface SdfRecord {
  readonly row: number;
  /** On which it begins, counted from 1. */
  readonly line: number;
  readonly name: string | null;
  /** The lines from the name to `M  END`. */
  readonly block: string;
  readonly tags: ReadonlyMap<string, string>;
  /** The tags that stand again with another value. */
  readonly twice: ReadonlySet<string>;
}

/**
 * Columns `smiles`, as RDKit writes the molecule, `name`, its first line, where any of the first records has one, and one
 * for each tag of the first 20,480 records. A molecule that RDKit does not read is a bad record.
 */
export async function sdfReader(file: ByteFile): Promise<Reader> {
  const { columns, own, leftOut, known } = await sampleColumns(file);
  const late = new LateFinds();
  return {
    columns,
    leftOut,
    found: () => lateNames('tags', late),
    async *read(selected, reject) {
      const rdkit = selected.some(({ name }) => name === 'smiles') ? await loadRDKit() : undefined;
      const batch = new CellBatch(selected);
      const note = late.reading();
      for await (const record of sdfRecords(file)) {
        for (const tag of record.tags.keys()) if (!known.has(tag)) note(tag, `record ${record.row}`);
        const cells: (number | string | null)[] = [];
        const refuse = (message: string, column?: string) =>
          reject({ path: file.name, row: record.row, line: record.line, ...(column && { column }), message });
        let good = true;
        for (const { name, type } of selected) {
          const cell =
            name === 'smiles'
              ? smilesOf(rdkit!, record.block)
              : own.includes(name)
                ? record.name
                : (record.tags.get(name) ?? null);
          if (record.twice.has(name) && !own.includes(name)) {
            refuse('the tag stands twice, with different values', name);
          } else if (name === 'smiles' && cell === null) {
            refuse('a molecule that RDKit does not read', 'smiles');
          } else if (type === 'number' && cell !== null && !isNumber(cell)) {
            refuse(`expected a number as in the other records, got ${JSON.stringify(cell)}`, name);
          } else if (cell !== null && isDamagedText(cell)) {
            refuse('not valid UTF-8', name);
          } else {
            cells.push(type === 'number' && cell !== null ? orMissing(Number(cell)) : cell);
            continue;
          }
          good = false;
          break;
        }
        if (good && batch.add(record.row, cells, record.block.length)) yield batch.flush()!;
      }
      const rest = batch.flush();
      if (rest) yield rest;
    },
  };
}

/** As RDKit reads files elsewhere: an atom of no element is refused, not read as any. */
const STRICT = JSON.stringify({ strictParsing: true });

const smilesOf = (rdkit: MainModule, block: string): string | null => {
  try {
    return useMolecule(rdkit.get_mol(block, STRICT), (molecule) => molecule.get_smiles()) || null;
  } catch {
    return null;
  }
};

async function sampleColumns(file: ByteFile) {
  const tags = new Map<string, CellCounts>();
  let named = false;
  let seen = 0;
  for await (const record of sdfRecords(file)) {
    named ||= record.name !== null;
    for (const [tag, value] of record.tags) {
      const counts = tags.get(tag) ?? { present: 0, numeric: 0, codes: 0 };
      counts.present++;
      if (isNumber(value)) counts.numeric++;
      if (isCode(value)) counts.codes++;
      tags.set(tag, counts);
    }
    if (++seen === SAMPLE_RECORDS) break;
  }
  if (seen === 0) throw new InputError(`${file.name}: no records; expected molecules that end with $$$$`);
  // What the molecule and its first line give comes before a tag of that name.
  const own = named ? ['smiles', 'name'] : ['smiles'];
  const isOwn = (tag: string) => own.includes(tag);
  const leftOut = [...tags.keys()]
    .filter(isOwn)
    .map((name) => ({ name, reason: 'a tag named like a column that the molecule gives; rename it' }));
  return {
    columns: [
      ...own.map((name): ColumnInfo => ({ name, type: 'text' })),
      ...[...tags]
        .filter(([name]) => !isOwn(name))
        .map(([name, counts]): ColumnInfo => ({ name, type: isNumeric(counts) ? 'number' : 'text' })),
    ],
    own,
    known: new Set(tags.keys()),
    leftOut: leftOut.length > 0 ? leftOut : undefined,
  };
}

async function* sdfRecords(file: ByteFile): AsyncGenerator<SdfRecord> {
  let lines: string[] = [];
  let row = 0;
  let first = 1;
  let held = 0;
  for await (const { firstLine, lines: some } of lineChunks(file)) {
    for (let i = 0; i < some.length; i++) {
      if (!some[i].startsWith('$$$$')) {
        lines.push(some[i]);
        held += some[i].length;
        if (held <= MAX_RECORD_CHARACTERS) continue;
        throw new InputError(
          `${file.name}: line ${first}: a record of more than ${MAX_RECORD_CHARACTERS >> 20} Mi characters; is the line $$$$ behind it missing?`,
        );
      }
      yield recordOf(lines, row++, first);
      lines = [];
      held = 0;
      first = firstLine + i + 1;
    }
  }
  if (lines.some((line) => line.trim() !== '')) yield recordOf(lines, row, first);
}

function recordOf(lines: readonly string[], row: number, line: number): SdfRecord {
  const end = lines.findIndex((text) => text.startsWith('M  END'));
  const tags = new Map<string, string>();
  const twice = new Set<string>();
  for (let i = end + 1; i < lines.length; i++) {
    const tag = /^>.*<([^>]+)>/.exec(lines[i])?.[1];
    if (tag === undefined) continue;
    const values: string[] = [];
    while (i + 1 < lines.length && lines[i + 1].trim() !== '' && !/^>.*<[^>]+>/.test(lines[i + 1]))
      values.push(lines[++i]);
    const value = values.join('\n').trim();
    if (missing.has(value)) continue;
    if (tags.has(tag) && tags.get(tag) !== value) twice.add(tag);
    tags.set(tag, value);
  }
  const name = lines[0]?.trim() ?? '';
  const block = lines.slice(0, end < 0 ? lines.length : end + 1).join('\n');
  return { row, line, name: name === '' ? null : name, block, tags, twice };
}
