/** Files that are not read, by what they are, and how to convert them. */

/** What it is, and what to do. */
export interface RefusedFile {
  readonly what: string;
  readonly instead: string;
}

const toParquet = (read: string): string => `convert it, in Python: ${read}.to_parquet("data.parquet")`;

const pandas = (what: string, reader: string): RefusedFile => ({
  what,
  instead: toParquet(`pandas.${reader}(file)`),
});

const hdf5: RefusedFile = {
  what: 'an HDF5 file',
  instead: 'convert it, in Python: numpy.save("data.npy", h5py.File(file)["name of the array"][:])',
};
const rData: RefusedFile = {
  what: 'data of R',
  instead:
    'convert it, in R: write.csv(readRDS(file), "data.csv", row.names = FALSE), or load(file) for .rda',
};
const pickled: RefusedFile = {
  what: 'a Python pickle, which is a program and is not run',
  instead: toParquet('pandas.read_pickle(file)'),
};
const weights: RefusedFile = {
  what: 'tensors of PyTorch',
  instead: 'convert it, in Python: numpy.save("data.npy", torch.load(file, weights_only=True).numpy())',
};
const sqlite: RefusedFile = {
  what: 'an SQLite database',
  instead: 'write a table of it as CSV: sqlite3 -header -csv file "SELECT * FROM name" > data.csv',
};
const document = (what: string): RefusedFile => ({
  what,
  instead: 'save its text as .txt, one record a line, or its table as .csv',
});
const archive = (what: string, command: string): RefusedFile => ({
  what,
  instead: `unpack it (${command}) and give the file or folder in it`,
});
const media = (what: string): RefusedFile => ({
  what,
  instead: 'one file of it is one record; give the folder of them',
});
const spreadsheet: RefusedFile = {
  what: 'an old Excel file',
  instead: 'save it as .xlsx or .csv',
};
const matlab: RefusedFile = {
  what: 'a MATLAB file',
  instead: 'convert it, in Python: numpy.save("data.npy", scipy.io.loadmat(file)["name of the array"])',
};

/** By the ending of a name. */
const byEnding: Readonly<Record<string, RefusedFile>> = {
  h5ad: {
    what: 'an AnnData file',
    instead: toParquet('anndata.read_h5ad(file).to_df()'),
  },
  h5: hdf5,
  hdf5,
  mat: matlab,
  pkl: pickled,
  pickle: pickled,
  rds: rData,
  rdata: rData,
  rda: rData,
  sas7bdat: pandas('a SAS file', 'read_sas'),
  dta: pandas('a Stata file', 'read_stata'),
  sav: pandas('an SPSS file', 'read_spss'),
  xls: spreadsheet,
  ods: { what: 'an OpenDocument spreadsheet', instead: 'save it as .xlsx or .csv' },
  root: {
    what: 'a ROOT file',
    instead: toParquet('uproot.open(file)["name of the tree"].arrays(library="pd")'),
  },
  tfrecord: {
    what: 'a TFRecord file',
    instead: 'write its examples as JSON Lines, or its arrays with numpy.save',
  },
  pt: weights,
  pth: weights,
  ckpt: weights,
  avro: {
    what: 'an Avro file',
    instead: toParquet('pandas.DataFrame(fastavro.reader(open(file, "rb")))'),
  },
  orc: pandas('an ORC file', 'read_orc'),
  sqlite,
  db: sqlite,
  duckdb: {
    what: 'a DuckDB database',
    instead: `write a table of it: duckdb file "COPY name TO 'data.parquet'"`,
  },
  pdf: document('a PDF document'),
  docx: document('a Word document'),
  tar: archive('a tar archive', 'tar -xf'),
  tgz: archive('a tar archive', 'tar -xf'),
  '7z': archive('a 7z archive', '7z x'),
  rar: archive('a RAR archive', 'unrar x'),
  bz2: archive('compressed by bzip2', 'bunzip2'),
  xz: archive('compressed by xz', 'unxz'),
};

const bytes = (...values: (number | string)[]): number[] =>
  values.flatMap((value) => (typeof value === 'number' ? [value] : [...new TextEncoder().encode(value)]));

/** By the bytes at a place near the beginning. */
const byMagic: readonly { at?: number; magic: readonly number[]; file: RefusedFile }[] = [
  { magic: bytes(0x89, 'HDF\r\n', 0x1a, '\n'), file: hdf5 },
  { magic: bytes('MATLAB 5.0'), file: matlab },
  { magic: bytes('SQLite format 3'), file: sqlite },
  { magic: bytes('Obj', 1), file: byEnding.avro },
  {
    magic: bytes('FEA1'),
    file: {
      what: 'a Feather file of version 1',
      instead: 'write it again, in Python: pandas.read_feather(file).to_feather("data.feather")',
    },
  },
  { magic: bytes('DUCK'), at: 8, file: byEnding.duckdb },
  { magic: bytes('%PDF-'), file: byEnding.pdf },
  { magic: bytes('RDX2\n'), file: rData },
  { magic: bytes('RDX3\n'), file: rData },
  { magic: bytes('RDA3\n'), file: rData },
  { magic: bytes('<stata_dta>'), file: byEnding.dta },
  { magic: bytes('$FL2'), file: byEnding.sav },
  { magic: bytes(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1), file: spreadsheet },
  { magic: bytes(0x80, 2), file: pickled },
  { magic: bytes(0x80, 3), file: pickled },
  { magic: bytes(0x80, 4, 0x95), file: pickled },
  { magic: bytes(0x80, 5, 0x95), file: pickled },
  { magic: bytes('ustar'), at: 257, file: byEnding.tar },
  { magic: bytes('7z', 0xbc, 0xaf), file: byEnding['7z'] },
  { magic: bytes('Rar!'), file: byEnding.rar },
  { magic: bytes('1AY&SY'), at: 4, file: byEnding.bz2 },
  { magic: bytes(0xfd, '7zXZ'), file: byEnding.xz },
  { magic: bytes(0x89, 'PNG'), file: media('an image') },
  { magic: bytes(0xff, 0xd8, 0xff), file: media('an image') },
  { magic: bytes('GIF8'), file: media('an image') },
  { magic: bytes('WAVEfmt '), at: 8, file: media('sound') },
  { magic: bytes('WEBPVP8'), at: 8, file: media('an image') },
];

/** Whether the bytes of `head` at a place are those given. */
const hasMagic = (head: Uint8Array, magic: readonly number[], at = 0): boolean =>
  magic.every((byte, i) => head[at + i] === byte);

/** What a file that is not read is, by its name. */
export function refusedName(name: string): RefusedFile | undefined {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1].toLowerCase();
  return ending !== undefined && Object.hasOwn(byEnding, ending) ? byEnding[ending] : undefined;
}

/** What a file that is not read is, by its first bytes. */
export function refusedContent(head: Uint8Array): RefusedFile | undefined {
  const found = byMagic.find(({ magic, at }) => hasMagic(head, magic, at));
  if (found) return found.file;
  const text = new TextDecoder().decode(head.subarray(0, 256)).replace(/^[\s\uFEFF]+/, '');
  if (/^<(!doctype html|html[\s>])/i.test(text)) {
    return { what: 'a web page', instead: 'it may be an error page; download the data itself' };
  }
  if (text.startsWith('version https://git-lfs')) {
    return { what: 'a Git LFS pointer, not the data', instead: 'fetch the data with git lfs pull' };
  }
  return undefined;
}
