import type { Command } from 'commander';
import type { DeviceName } from '../engine/engine.js';
import { formatTable } from '../report/table.js';
import type { Retrieval } from '../verbs/retrieval.js';
import { appendNames, deviceOption, parsePositive } from './arguments.js';
import { addConfigOptions, readConfigOptions, readingKeys } from './config-options.js';
import { formatInterval, formatWritten } from './format.js';
import type { Session } from './session.js';

interface Options {
  readonly out: string;
  readonly of?: string;
  readonly neighbors?: number;
  readonly keep?: string[];
  readonly whiten?: boolean;
  readonly relevant?: string;
  readonly device?: DeviceName;
  readonly json?: boolean;
}

const keys = readingKeys();

export function define(command: Command, { run }: Session): void {
  command
    .description(
      'Write for every record those that the model finds most alike, the nearest first, with the cosine similarity of their embeddings less the mean embedding.',
    )
    .argument('<run>', 'folder of a run, or of its export')
    .argument('<data>', 'a file, or the folder of one data set')
    .requiredOption('-o, --out <file>', 'file to write: .parquet or .csv')
    .option(
      '--of <file>',
      'file of the records that are found; by default those of the data, each but for itself',
    )
    .option('-k, --neighbors <n>', 'neighbours of each record (default: 5)', parsePositive)
    .option(
      '--keep <columns>',
      "columns of both files to write beside, in the file's own characters; all means all (repeatable)",
      appendNames,
    )
    .option('--whiten', 'directions along which the records differ little count as much as others')
    .option(
      '--relevant <file>',
      'score the search: which records are relevant to which, by the ids of both files, in the columns query-id, corpus-id and score',
    )
    .addOption(deviceOption())
    .option('--json', 'print one JSON object to stdout');
  addConfigOptions(command, keys);
  command.action(async (trained: string, data: string, options: Options) => {
    const { out, of, neighbors: k, keep, whiten, relevant, device, json } = options;
    const { data: config = {} } = await readConfigOptions(command, keys);
    await run(
      json,
      (verbs, hooks) =>
        verbs.neighbors({ run: trained, data, of, k, out, keep, whiten, relevant, config, device }, hooks),
      ({ k, pool, milliseconds, approximate, retrieval, ...written }) =>
        `${retrieval ? `${formatRetrieval(retrieval)}\n\n` : ''}${formatWritten(written)}, ${k} neighbours of each among ${pool.toLocaleString('en-US')}; ${milliseconds.toPrecision(2)} ms a record, ${
          approximate
            ? `by ${approximate.probed} of ${approximate.cells} cells, which find ${(100 * approximate.recall).toFixed(1)} % of the ten nearest`
            : 'by comparison with all'
        }`,
    );
  });
}

function formatRetrieval({ queries, unknown, scores }: Retrieval): string {
  const table = formatTable(
    ['ranked by', 'nDCG@10', 'recall@100', 'nDCG@10 less that of BM25'],
    scores.map(({ method, gain, recall, aboveWords }) => [
      method,
      formatInterval(gain),
      formatInterval(recall),
      aboveWords ? formatInterval(aboveWords) : '',
    ]),
  );
  const left =
    unknown === 0
      ? ''
      : `; ${unknown === 1 ? '1 judgement is of a record that is' : `${unknown.toLocaleString('en-US')} judgements are of records that are`} not there`;
  return `${table}\nmeans of ${queries.toLocaleString('en-US')} queries with 95 % intervals${left}`;
}
