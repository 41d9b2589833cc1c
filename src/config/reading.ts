import { z } from 'zod';
import { formatExtensions } from '../records/formats.js';
import { key, memberOf } from './keys.js';

/** How a file is read, whatever is done with it: the keys of all verbs that read one. */
export const readingSchemas = () => ({
  format: key(memberOf(formatExtensions), 'format of the file, when its name does not tell', 'csv'),
  delimiter: key(
    z.string().min(1),
    'character between the cells of a CSV file, or tab; found out by default',
    ';',
  ),
  quote: key(
    z.string().min(1),
    'character around cells of a CSV file, or none; found out by default',
    'none',
  ),
  header: key(
    z.enum(['yes', 'no']),
    'whether the first record of a CSV file names its columns; found out by default',
    'yes',
  ),
  encoding: key(z.string().min(1), 'encoding of a text file that is not UTF-8', 'windows-1252'),
  decimal: key(z.enum(['.', ',']), 'decimal sign of written numbers; found out by default', ','),
  missing: key(
    z.array(z.string()),
    'words that stand for a missing cell, instead of ?, NA, N/A, NaN, nan, null and NULL; an empty one for none',
    ['NA', '-999'],
  ),
  canonical_smiles: key(
    z.string().min(1),
    'column of molecules that are read as RDKit writes them, however the file does; later files of the run, too',
    'smiles',
  ),
  on_bad_record: key(
    z.enum(['auto', 'fail', 'skip']),
    'a record that cannot be read stops the run or is skipped and counted; auto stops only among the first 100',
    'skip',
  ),
  on_unknown: key(
    z.enum(['keep', 'fail']),
    'a letter or category that the run was not trained on stands as unknown, counted, or stops the command',
    'fail',
  ),
});
