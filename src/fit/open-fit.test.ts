import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { list } from '../files/manifest.js';
import { fit as fitVerb } from '../verbs/fit.js';
import { predict } from '../verbs/predict.js';

it('refuses a model whose features another version made otherwise', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lacuna-open-fit-'));
  try {
    const [data, model] = [join(folder, 'table.csv'), join(folder, 'model')];
    const rows = Array.from(
      { length: 60 },
      (_, i) => `${i % 7},${(i * i) % 11},${(i % 7) - 0.5 * ((i * i) % 11)}`,
    );
    await writeFile(data, `a,b,y\n${rows.join('\n')}\n`);
    await fitVerb({ data, targets: ['y'], out: model, config: { fit: { folds: 2 } } });
    const path = join(model, 'fit.json');
    const kept = JSON.parse(await readFile(path, 'utf8'));
    expect(kept.features.values.dimension).toBe(2);
    kept.features.values.dimension = 3;
    await writeFile(path, JSON.stringify(kept));
    await list(model, 'fit.json');
    await expect(predict({ run: model, data, out: join(folder, 'predictions.csv') })).rejects.toThrow(
      'was fitted to 3 columns of values, and this version makes 2 of such records; fit again',
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
