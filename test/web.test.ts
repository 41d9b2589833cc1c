/** The library in a page of Chromium beside the same verbs in Node. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { unzipSync, type Zippable, zipSync } from 'fflate';
import type { Page } from 'playwright-core';
import { afterAll, describe, expect, it } from 'vitest';
import type { ProgressEvent, StepEvent } from '../src/learning/progress-event.js';
import { embed } from '../src/verbs/embed.js';
import { inspect } from '../src/verbs/inspect.js';
import { pretrain } from '../src/verbs/pretrain.js';
import type { openLacuna } from '../src/web/index.js';
import { openChromium } from './chromium.js';
import { mediaSamples, type Sample, samples } from './web-samples.js';

const chromium = await openChromium();
const folder = mkdtempSync(join(tmpdir(), 'lacuna-web-'));
afterAll(async () => {
  await chromium?.close();
  rmSync(folder, { recursive: true });
});

/** What the page has as a global. */
declare const open: typeof openLacuna;

const STEPS = 50;

async function newPage(): Promise<Page> {
  const page = await chromium!.context.newPage();
  page.on('pageerror', ({ message }) => console.error(`page: ${message}`));
  await page.goto(chromium!.url);
  await page.waitForFunction('globalThis.open !== undefined');
  return page;
}

interface Trained extends Omit<Sample, 'config'> {
  readonly out: string;
  readonly config: object;
  readonly resume?: boolean;
  /** The step at which it is stopped. */
  readonly stopAt?: number;
}

const stepsOf = (events: readonly ProgressEvent[]): StepEvent[] =>
  events.filter((event): event is StepEvent => event.type === 'step');

/** Pretrains in a page and gives the loss of each step. */
const trainInPage = (page: Page, given: Trained): Promise<[step: number, loss: number][]> =>
  page.evaluate(async ({ name, text, out, config, resume, stopAt }) => {
    const lacuna = await open({ threads: 2 });
    const stop = new AbortController();
    const losses: [number, number][] = [];
    Object.assign(globalThis, { heard: 0 });
    await lacuna.pretrain(
      { data: new File([text], name), out, config, resume },
      {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type !== 'step') return;
          losses.push([event.step, event.loss]);
          Object.assign(globalThis, { heard: losses.length });
          if (event.step === stopAt) stop.abort();
        },
      },
    );
    lacuna.close();
    return losses;
  }, given);

async function trainInNode({ name, text, out, config }: Trained): Promise<[number, number][]> {
  const data = join(folder, name);
  writeFileSync(data, text);
  const events: ProgressEvent[] = [];
  await pretrain({ data, out: join(folder, out), config }, { onEvent: (event) => events.push(event) });
  return stepsOf(events).map(({ step, loss }) => [step, loss]);
}

/** The largest relative difference between the losses of the same steps. */
function difference(one: readonly (readonly [number, number])[], other: typeof one): number {
  expect(one.map(([step]) => step)).toEqual(other.map(([step]) => step));
  return Math.max(...one.map(([, loss], i) => Math.abs(loss - other[i][1]) / Math.abs(other[i][1])));
}

const configOf = ({ config }: Sample, more: object = {}) => ({
  ...config,
  training: { steps: STEPS, batch_size: 8, checkpoint_steps: 20, log_steps: 1, ...more },
});

describe.runIf(chromium)('in a page', async () => {
  for (const sample of await samples()) {
    it(`${sample.name} is learned from as in Node`, { timeout: 300_000 }, async () => {
      const page = await newPage();
      const inPage = await trainInPage(page, {
        ...sample,
        out: `${sample.name}-cpu`,
        config: configOf(sample),
      });
      const inNode = await trainInNode({ ...sample, out: `${sample.name}-node`, config: configOf(sample) });
      const onDevice = await trainInPage(page, {
        ...sample,
        out: `${sample.name}-device`,
        config: configOf(sample, { device: 'webgpu' }),
      });
      expect(inNode.length).toBe(STEPS);
      const [wasm, webgpu] = [difference(inPage, inNode), difference(onDevice, inNode)];
      console.info(
        `${sample.name}: losses differ by ${wasm.toExponential(1)} on wasm, ${webgpu.toExponential(1)} on WebGPU`,
      );
      expect(wasm).toBeLessThan(1e-6);
      expect(webgpu).toBeLessThan(1e-5);
      await page.close();
    });
  }

  it('takes the processor for auto where the adapter of WebGPU is a program on it, and loads nothing for it', {
    timeout: 300_000,
  }, async () => {
    const [sample] = await samples();
    const { name, text } = sample;
    const config: object = configOf(sample, { steps: 1, device: 'auto' });
    const page = await newPage();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    const told = await page.evaluate(
      async ({ name, text, config }) => {
        const lacuna = await open({ threads: 2, storage: 'memory' });
        const messages: string[] = [];
        await lacuna.pretrain(
          { data: new File([text], name), out: 'run', config },
          { onEvent: (event) => void (event.type === 'info' && messages.push(event.message)) },
        );
        lacuna.close();
        return messages;
      },
      { name, text, config },
    );
    expect(told.filter((message) => message.startsWith('device:'))).toEqual([
      'device: cpu, since no GPU answered (google swiftshader computes on the processor)',
    ]);
    expect(requests.some((url) => url.includes('/ort.wasm'))).toBe(true);
    expect(requests.some((url) => url.includes('/ort.webgpu'))).toBe(false);
    await page.close();
  });

  for (const { name, files, config } of await mediaSamples()) {
    it(`reads ${name} as in Node, to the cell`, { timeout: 300_000 }, async () => {
      const alone = files.length === 1;
      const training = { steps: 10, batch_size: 8, log_steps: 1, valid_steps: 5 };
      const page = await newPage();
      const inPage = await page.evaluate(
        async ({ name, files, alone, config }) => {
          const lacuna = await open({ threads: 2, storage: 'memory' });
          const given = files.map(({ path, content }) => {
            const file = new File([Uint8Array.from(content)], path.split('/').at(-1)!);
            return Object.defineProperty(file, 'webkitRelativePath', { value: `${name}/${path}` });
          });
          const data = alone ? given[0] : given;
          const { source, schema, tokens, tokenizer } = await lacuna.inspect({ data });
          const losses: [number, number][] = [];
          await lacuna.pretrain(
            { data, out: 'run', config },
            { onEvent: (event) => void (event.type === 'step' && losses.push([event.step, event.loss])) },
          );
          lacuna.close();
          return { columns: source.columns, rows: source.rows, schema, tokens, tokenizer, losses };
        },
        {
          name,
          files: files.map(({ path, content }) => ({ path, content: [...content] })),
          alone,
          config: { ...config, training },
        },
      );
      for (const { path, content } of files) {
        const place = join(folder, alone ? '' : name, path);
        mkdirSync(dirname(place), { recursive: true });
        writeFileSync(place, content);
      }
      const data = join(folder, name);
      const { source, schema, tokens, tokenizer } = await inspect({ data });
      const events: ProgressEvent[] = [];
      const out = join(folder, `${name}-run`);
      await pretrain(
        { data, out, config: { ...config, training } },
        { onEvent: (event) => events.push(event) },
      );
      const sent = JSON.stringify({ columns: source.columns, rows: source.rows, schema, tokens, tokenizer });
      const { losses, ...seen } = inPage;
      expect(JSON.stringify(seen)).toBe(sent);
      expect(losses).toHaveLength(10);
      expect(
        difference(
          losses,
          stepsOf(events).map(({ step, loss }) => [step, loss]),
        ),
      ).toBeLessThan(1e-6);
      await page.close();
    });
  }

  it('loads less than 150 KB of compressed code to look at a table and learn from it', {
    timeout: 300_000,
  }, async () => {
    const [sample] = await samples();
    const page = await newPage();
    const loaded = new Set<string>();
    page.on('request', (request) => {
      if (/worker(-\w+)?\.js$/.test(request.url())) loaded.add(request.url());
    });
    const rows = await page.evaluate(
      async ({ name, text }) => {
        const lacuna = await open({ storage: 'memory' });
        const { source } = await lacuna.inspect({ data: new File([text], name) });
        lacuna.close();
        return source.rows;
      },
      { name: sample.name, text: sample.text },
    );
    await trainInPage(page, { ...sample, out: 'small', config: configOf(sample, { steps: 2 }) });
    let size = 0;
    for (const url of loaded) size += gzipSync(await (await fetch(url)).arrayBuffer(), { level: 9 }).length;
    console.info(`${loaded.size} files of code, ${size} bytes compressed`);
    expect(rows).toBe(800);
    expect(loaded.size).toBeGreaterThan(1);
    expect(size).toBeLessThan(150_000);
    await page.close();
  });

  it('goes on after the page was closed, bit for bit, and the run opens in Node', {
    timeout: 300_000,
  }, async () => {
    const [sample] = await samples();
    // So many that a fast machine is not done before the page is closed.
    const given = { ...sample, config: configOf(sample, { steps: 300, checkpoint_steps: 5 }) };
    const whole = await newPage();
    const losses = await trainInPage(whole, { ...given, out: 'whole' });
    const stopped = await trainInPage(whole, { ...given, out: 'stopped', stopAt: 8 });
    // Closed in the middle, the second time without a word to the worker.
    void trainInPage(whole, { ...given, out: 'killed' }).catch(() => {});
    await whole.waitForFunction('globalThis.heard >= 12');
    await whole.close();
    const page = await newPage();
    const rest = await trainInPage(page, { ...given, out: 'stopped', resume: true });
    expect([...stopped, ...rest]).toEqual(losses);
    const again = await trainInPage(page, { ...given, out: 'killed', resume: true });
    expect(again[0][0]).toBeGreaterThan(1);
    expect(again).toEqual(losses.slice(again[0][0] - 1));
    const packed = await page.evaluate(async () => {
      const lacuna = await open({ threads: 2 });
      const archives: number[][] = [];
      for (const run of ['whole', 'stopped', 'killed'])
        archives.push([...new Uint8Array(await (await lacuna.packRun(run)).arrayBuffer())]);
      lacuna.close();
      return archives;
    });
    const runs = packed.map((archive) => unzipSync(Uint8Array.from(archive)));
    const checkpoint = 'checkpoints/step-00000300.safetensors';
    for (const run of runs) expect(Buffer.from(run[checkpoint]).equals(runs[0][checkpoint])).toBe(true);

    const run = join(folder, 'from-page');
    for (const [path, bytes] of Object.entries(runs[0])) {
      mkdirSync(dirname(join(run, path)), { recursive: true });
      writeFileSync(join(run, path), bytes);
    }
    const data = join(folder, sample.name);
    writeFileSync(data, sample.text);
    const out = join(folder, 'embeddings.npy');
    await embed({ run, data, out });
    const stored = new Float32Array(readFileSync(out).buffer.slice(128));
    // And back: the folder of Node as a zip.
    const zipped = zipSync({ run: runs[0] as unknown as Zippable });
    const found = await page.evaluate(
      async ([archive, name, text]) => {
        const lacuna = await open({ threads: 2 });
        const content = new Blob([Uint8Array.from(archive as number[])]);
        await lacuna.unpackRun('back', content);
        const { columns } = await lacuna.embed({
          run: 'back',
          data: new File([text as string], name as string),
        });
        const runs = await lacuna.runs();
        const twice = await lacuna.unpackRun('back', content).catch(({ name, message }) => [name, message]);
        lacuna.close();
        return { embedding: [...(columns!.embedding as Float32Array)], runs, twice };
      },
      [[...zipped], sample.name, sample.text] as const,
    );
    expect(found.runs).toContain('back');
    expect(found.twice).toEqual(['InputError', expect.stringMatching(/^back: there is such a run already/)]);
    expect(found.embedding.length).toBe(stored.length);
    const furthest = Math.max(...found.embedding.map((value, i) => Math.abs(value - stored[i])));
    expect(furthest).toBeLessThan(1e-5 * Math.max(...stored.map(Math.abs)));
    await page.close();
  });

  it('answers the verbs that look at records, one at a time or while it learns', {
    timeout: 300_000,
  }, async () => {
    const [sample] = await samples();
    const page = await newPage();
    const found = await page.evaluate(
      async ({ name, text, config }) => {
        const lacuna = await open({ threads: 2, storage: 'memory' });
        const data = new File([text], name);
        await lacuna.pretrain({ data, out: 'run', config });
        const learning = lacuna.pretrain({ data, out: 'other', config });
        const near = await lacuna.neighbors({ run: 'run', data, k: 2, keep: ['city'] });
        const strange = await lacuna.anomalies({ run: 'run', data, falseAlarms: 0.05 });
        const places = await lacuna.map({ run: 'run', data });
        const model = await lacuna.load('run', { pool: data });
        const [[first]] = await model.neighbors(
          [{ age: 40, income: 30_000, height: 170, city: 'a', plan: 'x' }],
          1,
        );
        await model.dispose();
        const probed = await lacuna.probe({ run: 'run', data, targets: ['rate'] });
        await learning;
        const stop = new AbortController();
        stop.abort(new Error('enough'));
        const stopped = await lacuna
          .embed({ run: 'run', data }, { signal: stop.signal })
          .catch(({ message }: Error) => message);
        const refused = await lacuna
          .pretrain({ data: new File(['a,b\n1,2\n3\n'], 'bad.csv'), out: 'bad' })
          .catch(({ name, message }: Error) => [name, message]);
        const noParquet = await lacuna
          .embed({ run: 'run', data, out: 'e.parquet' })
          .catch(({ message }: Error) => message);
        await lacuna.embed({ run: 'run', data, out: 'e.csv', keep: ['city'] });
        const csv = await (await lacuna.files.open('e.csv'))!.text();
        const runs = await lacuna.runs();
        lacuna.close();
        return {
          near: [near.rows, Object.keys(near.columns!), near.columns!.row.length],
          strange: [strange.rows, Object.keys(strange.columns!).includes('blame')],
          places: [places.places.length, places.columns],
          first: Object.keys(first.record),
          probed: probed.methods.map(({ method }) => method),
          stopped,
          refused,
          noParquet,
          csv: csv.slice(0, 24),
          runs,
        };
      },
      {
        ...sample,
        config: {
          ...configOf(sample, { steps: 3 }),
          data: { columns: ['age', 'income', 'height', 'city', 'plan'] },
        },
      },
    );
    expect(found.near).toEqual([
      800,
      ['row', 'city', 'rank', 'neighbor_row', 'neighbor_city', 'similarity'],
      1600,
    ]);
    expect(found.strange).toEqual([800, true]);
    expect(found.places).toEqual([1600, ['age', 'income', 'height', 'city', 'plan', 'rate']]);
    expect(found.first.length).toBeGreaterThan(3);
    expect(found.probed).toContain('untrained, linear');
    expect(found.stopped).toBe('enough');
    expect(found.refused).toEqual([
      'InputError',
      expect.stringMatching(/^bad.csv: line 3: expected 2 columns, got 1/),
    ]);
    expect(found.noParquet).toBe('e.parquet: a page writes no Parquet; name a file that ends in .csv');
    expect(found.csv).toBe('row,city,embedding_0,emb');
    expect(found.runs).toEqual(['other', 'run']);
    await page.close();
  });
});
