/** The verb `watch`: runs on a live page, while they go on or when they are done. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { Hono } from 'hono';
import { partition, partitionColumns } from '../datasets/partition.js';
import { LacunaError } from '../errors.js';
import type { Hooks } from '../learning/progress-event.js';
import { takeRecords } from '../records/batch.js';
import { selectRecords } from '../records/select-records.js';
import type { TokenBlock } from '../records/token-block.js';
import type { Markup } from '../report/html.js';
import { LIVE_SCRIPT, livePage } from '../report/live-page.js';
import { maskedTokens } from '../report/masked-tokens.js';
import type { Page, Section } from '../report/page.js';
import { comparisonPage } from '../report/run-comparison.js';
import { checkpointPath, newestStep } from '../runs/checkpoints.js';
import { openRun, runFile } from '../runs/folder.js';
import { hiddenTokens } from '../runs/hidden-tokens.js';
import { type RunProgress, readProgress } from '../runs/read-progress.js';
import { hostsOf, openServer, pause } from '../serving/server.js';
import { openData } from './open-data.js';
import { ruleOf } from './plan-run.js';

/** What `watch` is given. */
export interface WatchOptions {
  /** Folders of runs. */
  readonly runs: readonly string[];
  /** 8081 by default; 0 is any that is free. */
  readonly port?: number;
}

/** What `watch` did. */
export interface WatchSummary {
  readonly address: string;
  /** To be told to stop is how it ends. */
  readonly interrupted: false;
}

const HOST = '127.0.0.1';

/** Held-out records whose masks are shown. */
const SHOWN = 3;

/** Serves the page on this machine alone until the signal aborts. Throws InputError where a folder holds no run. */
export async function watch(
  { runs, port = 8081 }: WatchOptions,
  { signal, onEvent = () => {} }: Hooks = {},
): Promise<WatchSummary> {
  await readProgress(runs);
  const pages = new LivePages(runs);
  const app = new Hono();
  app.use(async (context, next) => {
    if (!hostsOf(HOST)!.includes(new URL(context.req.url).hostname))
      return context.text(`this page answers to ${HOST} alone`, 403);
    return next();
  });
  app.onError((error, context) => {
    if (!(error instanceof LacunaError)) throw error;
    return context.text(error.message, 500);
  });
  app.get('/', async (context) => {
    const tag = await pages.tag();
    context.header('etag', tag);
    context.header('cache-control', 'no-cache');
    if (context.req.header('if-none-match') === tag) return context.body(null, 304);
    return context.html(livePage(await pages.page(tag)));
  });
  app.get('/live.js', (context) => context.body(LIVE_SCRIPT, 200, { 'content-type': 'text/javascript' }));
  const server = await openServer(app, { host: HOST, port });
  try {
    onEvent({ type: 'info', message: `${runs.join(', ')} on ${server.address}; Ctrl-C stops` });
    while (!signal?.aborted) await pause(60_000, signal);
    return { address: server.address, interrupted: false };
  } finally {
    server.cut();
  }
}

/** The page of some runs, made anew when their folders have changed. */
class LivePages {
  private latest?: { readonly tag: string; readonly page: Promise<Page> };
  private readonly masks = new Map<string, Promise<Section | undefined>>();

  constructor(private readonly runs: readonly string[]) {}

  /** Changes with the files that the page is made of. */
  async tag(): Promise<string> {
    const paths = this.runs.flatMap((run) =>
      (['metrics', 'scores', 'done', 'config'] as const).map((file) => runFile(run, file)),
    );
    const states = await Promise.all(
      paths.map((path) =>
        stat(path).then(
          ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
          () => '',
        ),
      ),
    );
    return `"${createHash('sha256').update(states.join('\n')).digest('hex').slice(0, 16)}"`;
  }

  page(tag: string): Promise<Page> {
    if (this.latest?.tag !== tag) this.latest = { tag, page: this.make() };
    return this.latest.page;
  }

  private async make(): Promise<Page> {
    const runs = await readProgress(this.runs);
    const page = await comparisonPage(runs);
    const masks = await Promise.all(runs.map((run) => this.maskSection(run)));
    // The settings stay the last.
    return {
      ...page,
      sections: [
        ...page.sections.slice(0, -1),
        ...masks.filter((section) => section !== undefined),
        ...page.sections.slice(-1),
      ],
    };
  }

  /** What the newest checkpoint hides, made once for each; none where the data are gone or nothing is hidden. */
  private async maskSection(run: RunProgress): Promise<Section | undefined> {
    const step = await newestStep(run.folder);
    if (step === undefined) return undefined;
    const key = checkpointPath(run.folder, step);
    const section = this.masks.get(key) ?? masksOf(run).catch((error: unknown) => withoutMasks(run, error));
    this.masks.set(key, section);
    return section;
  }
}

/** Says why there are no masks where the data are gone or the checkpoint is damaged. */
function withoutMasks({ name }: RunProgress, error: unknown): Section {
  if (!(error instanceof LacunaError)) throw error;
  return { title: `What ${name} hides`, blocks: [{ kind: 'text', text: `Not shown: ${error.message}.` }] };
}

async function masksOf({ name, folder }: RunProgress): Promise<Section | undefined> {
  const run = await openRun(folder);
  const block = await heldOutRecords(run);
  const hidden = block && (await hiddenTokens(run, block, 0));
  if (!block || !hidden) return undefined;
  const picture: Markup = maskedTokens(run.tokenizer, block, hidden);
  return {
    title: `What ${name} hides after step ${run.step}`,
    blocks: [
      {
        kind: 'figure',
        picture,
        caption: 'Held-out records; the marked tokens are those that the model has to predict.',
      },
    ],
  };
}

/** The first validation records of the run's data. */
async function heldOutRecords(run: Awaited<ReturnType<typeof openRun>>): Promise<TokenBlock | undefined> {
  const { config, tokenizer, schema, folder } = run;
  if (config.data.path === '-') return undefined;
  const source = await openData(config.data.path, { ...config.data, on_bad_record: 'skip' }, { schema });
  const rule = ruleOf({ folder, config, tokenizer });
  const parts = await partition(source, rule);
  const columns = [...new Set([...tokenizer.columns, ...partitionColumns(source, rule)])];
  for await (const batch of source.read({ columns })) {
    const places = parts(batch).flatMap((part, place) => (part === 'valid' ? [place] : []));
    if (places.length === 0) continue;
    const block = tokenizer.encode(selectRecords(batch, places.slice(0, 50)));
    if (block.count > 0)
      return takeRecords(
        block,
        Array.from({ length: Math.min(SHOWN, block.count) }, (_, i) => i),
      );
  }
  return undefined;
}
