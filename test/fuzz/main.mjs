// @ts-nocheck: plain JavaScript that runs what is built
/** `npm run fuzz -- [PARSER] [COUNT] [SEED]`: damaged files for one parser or all; what a parser fails on is kept in a folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuzz } from './fuzz.mjs';
import { inputOf } from './mutate.mjs';
import { parsersOf } from './parsers.mjs';
import { trainRuns } from './seeds.mjs';

const [asked = 'all', given = '20000', seed = '1'] = process.argv.slice(2);
const count = Number(given);
const runs = mkdtempSync(join(tmpdir(), 'lacuna-fuzz-runs-'));
process.once('exit', () => rmSync(runs, { recursive: true, force: true }));
await trainRuns(runs);
const parsers = await parsersOf(join(runs, 'own'), runs);
const names = asked === 'all' ? Object.keys(parsers) : [asked];
const unknown = names.find((name) => !Object.hasOwn(parsers, name));
if (unknown !== undefined || !(Number.isInteger(count) && count > 0)) {
  console.error(
    `npm run fuzz -- [PARSER] [COUNT] [SEED], where PARSER is all or one of ${Object.keys(parsers).join(', ')}`,
  );
  process.exit(2);
}
console.log(`seed ${seed}`);
for (const name of names) {
  const inputs = Math.ceil(count / (asked === 'all' ? (parsers[name].cost ?? 1) : 1));
  const { findings, refused, peak, seconds } = await fuzz({ plan: [{ name, count: inputs }], runs, seed });
  const refusals = `${((100 * refused) / inputs).toFixed(0)} % refused`;
  console.log(
    `${name}: ${inputs} inputs, ${refusals}, ${findings.length} findings, ${seconds.toFixed(0)} s, ${peak.toFixed(0)} MiB`,
  );
  // One of each kind: findings that differ in numbers and in what an error says of its input are one.
  const kinds = new Map(findings.map((finding) => [finding.why.replace(/: .*|\d+/g, ''), finding]));
  for (const { number, why } of kinds.values()) {
    const path = join(tmpdir(), 'lacuna-findings', `${name}-${seed}-${number}.bin`);
    mkdirSync(join(tmpdir(), 'lacuna-findings'), { recursive: true });
    writeFileSync(path, inputOf({ name, ...parsers[name] }, seed, number));
    console.log(`  ${path}: ${why}`);
  }
  if (findings.length > 0) process.exitCode = 1;
}
