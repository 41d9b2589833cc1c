import { withoutCompression } from './bytes/compression.js';

/** Every format that can be read, and the endings of file names that announce it. */
export const formatExtensions = {
  csv: ['csv'],
  tsv: ['tsv', 'tab'],
  jsonl: ['jsonl', 'ndjson'],
  json: ['json'],
  parquet: ['parquet', 'pq'],
  fasta: ['fasta', 'fa', 'faa', 'fna', 'fas'],
  lines: ['txt', 'text', 'lines'],
  smiles: ['smi', 'smiles'],
  lmdb: ['lmdb', 'mdb'],
  idx: ['idx', 'idx1-ubyte', 'idx3-ubyte', 'idx4-ubyte'],
  ts: ['ts'],
  npy: ['npy'],
  npz: ['npz'],
  arrow: ['arrow', 'feather', 'ipc'],
  xlsx: ['xlsx'],
  sdf: ['sdf', 'sd'],
  // Read from a folder, whose files each are a record.
  images: [],
  audio: [],
} as const satisfies Record<string, readonly string[]>;

export type FormatName = keyof typeof formatExtensions;

/** The names of all formats; a plug-in may add to them. */
export const formatNames = (): FormatName[] => Object.keys(formatExtensions) as FormatName[];

/** The format that a file's name tells, with or without `.gz`, `.zst` or `.zip`. */
export function formatNamed(path: string): FormatName | undefined {
  const name = withoutCompression(path).toLowerCase();
  return formatNames().find((format) =>
    formatExtensions[format].some(
      (extension) => name.endsWith(`.${extension}`) || name.endsWith(`-${extension}`),
    ),
  );
}
