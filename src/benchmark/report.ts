/** The verb `report`: the results page and its figures, from a folder of result files. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { InputError, LacunaError } from '../errors.js';
import { writeFileAtomically } from '../files/atomic-file.js';
import { readListed } from '../files/manifest.js';
import { refuseOverwrite } from '../files/refuse-overwrite.js';
import { parseResults, type Results } from '../report/results.js';
import { resultsPage } from '../report/results-page.js';

/** What `report` is given. */
export interface ReportOptions {
  /** Folder of result files, as `bench` writes them: each `.json` in it. */
  readonly results: string;
  /** The Markdown file whose blocks are filled; made where there is none. */
  readonly out: string;
  /** Nothing is written; LacunaError where something would change. */
  readonly check?: boolean;
}

/** What `report` did. */
export interface ReportSummary {
  readonly out: string;
  readonly suites: readonly string[];
  /** Files that were written because they changed. */
  readonly written: readonly string[];
  /** Blocks that the results could fill and the page has no markers for. */
  readonly unused: readonly string[];
}

/** Makes the page; see `ReportOptions`. Figures go to the folder beside the page that has its name without the extension. */
export async function report({ results: folder, out, check = false }: ReportOptions): Promise<ReportSummary> {
  await refuseOverwrite(await resultFiles(folder), out);
  const results = await readResults(folder);
  const before = await readText(out);
  const { text, figures, unused } = await resultsPage(results, {
    text: before,
    path: out,
    figures: basename(out, extname(out)),
  });
  const files = [[out, text], ...[...figures].map(([name, svg]) => [join(dirname(out), name), svg])];
  const changed: string[] = [];
  for (const [path, content] of files) if ((await readText(path)) !== content) changed.push(path);
  if (check && changed.length > 0)
    throw new LacunaError(
      `${changed.join(', ')}: not what the result files in ${folder} give; run lacuna report ${folder} --out ${out}`,
    );
  for (const [path, content] of files) {
    if (changed.includes(path)) await writeFileAtomically(path, [new TextEncoder().encode(content)]);
  }
  return { out, suites: results.map(({ suite }) => suite), written: changed, unused };
}

async function resultFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: NodeJS.ErrnoException) => {
    const fault = cause.code === 'ENOENT' ? 'there is no such folder' : cause.message;
    throw new InputError(`${folder}: expected a folder of result files; ${fault}`, { cause });
  });
  const files = names.filter((name) => name.endsWith('.json')).sort();
  if (files.length === 0)
    throw new InputError(
      `${folder}: expected result files (SUITE.json), found none; lacuna bench SUITE --out ${folder} writes one`,
    );
  return files.map((name) => join(folder, name));
}

async function readResults(folder: string): Promise<Results[]> {
  const files = await resultFiles(folder);
  return Promise.all(
    files.map(async (path) =>
      parseResults(new TextDecoder().decode(await readListed(dirname(path), basename(path))), path),
    ),
  );
}

/** undefined where there is no such file. */
async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new InputError(`${path}: expected a file; ${(error as Error).message}`, { cause: error });
  }
}
