import { afterAll, expect, it } from 'vitest';
import { openChromium } from './chromium.js';

const chromium = await openChromium();
afterAll(() => chromium?.close());
it.runIf(chromium)(
  'runs',
  async () => {
    const page = await chromium!.context.newPage();
    page.on('console', (m) => console.log('console:', m.text().slice(0, 400)));
    page.on('pageerror', (e) => console.log('pageerror', e.message));
    await page.goto(chromium!.url);
    const out = await page.evaluate(async () => {
      const { openLacuna } = globalThis as any;
      const l = await openLacuna({ threads: 2 });
      const rows = ['a,b,c,d'];
      for (let i = 0; i < 3000; i++) {
        const x = (Math.sin(i * 12.9898) * 43758.5453) % 1;
        rows.push([x.toFixed(3), (x * x).toFixed(4), i % 13 ? 'uvw'[i % 3] : '', 'pq'[+(x > 0)]].join());
      }
      const file = new File([rows.join('\n')], 'people.csv');
      const events: unknown[] = [];
      const out: unknown[] = [];
      const time = performance.now();
      const said = (x: unknown) => out.push([Math.round(performance.now() - time), x]);
      said(l.threads);
      said(
        await l.pretrain(
          { data: file, out: 'run', config: { training: { steps: 20, batch_size: 32 } } },
          { onEvent: (e: unknown) => events.push(e) },
        ),
      );
      const e = await l.embed({ run: 'run', data: file, keep: ['c'] });
      said([e.rows, e.columns.embedding.length, e.dimension]);
      const n = await l.neighbors({ run: 'run', data: file, k: 2 });
      said([n.rows, Object.keys(n.columns)]);
      const a = await l.anomalies({ run: 'run', data: file });
      said([a.rows, a.flagged, Object.keys(a.columns), a.columns.blame[0]]);
      const model = await l.load('run', { pool: file });
      said([model.columns, model.width, await model.neighbors([{ a: 1, b: 2, c: 'u', d: 'p' }], 2)]);
      await model.dispose();
      said(await l.runs());
      said(await l.files.list('run'));
      said((await l.packRun('run')).size);
      const p = await l.probe(
        { run: 'run', data: file, targets: ['d'] },
        { onEvent: (e: unknown) => events.push(e) },
      );
      said(p);
      try {
        const f = await l.finetune({
          run: 'run',
          data: file,
          targets: ['d'],
          out: 'tuned',
          config: { training: { epochs: 1 } },
        });
        said(f);
      } catch (e) {
        said(String(e));
      }
      try {
        const f = await l.fit({ data: file, targets: ['d'], out: 'fit' });
        said(f);
      } catch (e) {
        said(String(e));
      }
      l.close();
      return { out, events };
    });
    for (const e of out.events) console.log(JSON.stringify(e).slice(0, 200));
    for (const o of out.out) console.log(JSON.stringify(o).slice(0, 600));
    expect(1).toBe(1);
  },
  200_000,
);
