import { gzipSync, strToU8, zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../errors.js';
import { openBytes } from '../open-bytes.js';

async function refusal(name: string, content: Uint8Array | string): Promise<string> {
  const bytes = typeof content === 'string' ? strToU8(content) : content;
  try {
    await openBytes(new File([new Uint8Array(bytes)], name));
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const { message } = error as InputError;
    expect(message).not.toContain('\n');
    expect(message.startsWith(`${name}: `)).toBe(true);
    return message.slice(name.length + 2);
  }
  throw new Error(`${name} was opened`);
}

/** A tar header names its kind at place 257. */
const tar = new Uint8Array(512);
tar.set(strToU8('a.csv'));
tar.set(strToU8('ustar'), 257);

describe('a file that is not read', () => {
  it.each([
    ['cells.h5ad', 'an AnnData file', 'anndata.read_h5ad(file).to_df().to_parquet("data.parquet")'],
    ['a.h5', 'an HDF5 file', 'h5py'],
    ['a.mat', 'a MATLAB file', 'scipy.io.loadmat'],
    ['a.pkl', 'a Python pickle', 'pandas.read_pickle(file).to_parquet'],
    ['a.rds', 'data of R', 'write.csv'],
    ['a.sas7bdat', 'a SAS file', 'read_sas'],
    ['a.dta', 'a Stata file', 'read_stata'],
    ['a.sav', 'an SPSS file', 'read_spss'],
    ['a.xls', 'an old Excel file', 'save it as .xlsx or .csv'],
    ['a.sqlite', 'an SQLite database', 'sqlite3'],
    ['a.pt', 'tensors of PyTorch', 'numpy.save'],
    ['a.tar', 'a tar archive', 'tar -xf'],
    ['a.csv.bz2', 'compressed by bzip2', 'bunzip2'],
    ['a.pdf', 'a PDF document', '.txt'],
  ])('%s is refused as what its name says, with how to convert it', async (name, what, instead) => {
    const message = await refusal(name, 'whatever');
    expect(message.startsWith(`${what}`)).toBe(true);
    expect(message).toContain(instead);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['a.csv', '<!DOCTYPE html>\n<html><body>404</body></html>', 'a web page, not csv'],
    ['a.jsonl', '\n <html lang="en"></html>', 'a web page, not jsonl'],
    [
      'a.parquet',
      'version https://git-lfs.github.com/spec/v1\noid sha256:1\n',
      'a Git LFS pointer, not the data',
    ],
    ['a', 'version https://git-lfs.github.com/spec/v1\n', 'a Git LFS pointer'],
    ['a.csv', Uint8Array.of(0x89, 0x48, 0x44, 0x46, 13, 10, 26, 10, 0), 'an HDF5 file, not csv'],
    [
      'a.txt',
      Uint8Array.of(0x80, 4, 0x95, 1, 0),
      'a Python pickle, which is a program and is not run, not lines',
    ],
    [
      'a',
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10),
      'an image, which is not read; one file of it is one record',
    ],
    ['a.csv', tar, 'a tar archive, not csv'],
    ['a.tar.gz', gzipSync(tar), 'a tar archive'],
    ['a.csv.gz', gzipSync(tar), 'a tar archive, not csv'],
    ['a.csv', zipSync({ 'word/document.xml': strToU8('a'), b: strToU8('b') }), 'a Word document'],
    ['a.csv', zipSync({ 'xl/workbook.xml': strToU8('a'), b: strToU8('b') }), 'xlsx by its content, not csv'],
  ])('%s with other content is refused as that', async (name, content, message) => {
    expect(await refusal(name, content)).toContain(message);
  });

  it('is not a table whose first column has such a name', async () => {
    for (const text of ['ORCID\n1\n', 'Objects\n1\n', 'BZh\n1\n', 'RIFF\n1\n', 'GIF\n1\n'])
      expect((await openBytes(new File([text], 'a.txt'))).format).toBe('lines');
  });
});
