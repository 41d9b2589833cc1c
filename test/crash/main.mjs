// @ts-nocheck: plain JavaScript that runs what is built
/** `npm run crash -- [COUNT]`: commands that are killed at random moments, gone on with and compared with themselves. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandNames, crash, prepare } from './crash.mjs';

const count = Number(process.argv[2] ?? 100);
if (!(Number.isInteger(count) && count > 0)) {
  console.error('npm run crash -- [COUNT], where COUNT is how many runs are killed');
  process.exit(2);
}
const base = mkdtempSync(join(tmpdir(), 'lacuna-crash-'));
process.once('exit', () => rmSync(base, { recursive: true, force: true }));
await prepare(base);
const counts = {};
let [runs, kills] = [0, 0];
for (let number = 0; runs < count; number++) {
  const name = commandNames[number % commandNames.length];
  const result = await crash(base, name, number);
  if (!result) continue;
  runs++;
  kills += result.killed;
  counts[name] = (counts[name] ?? 0) + 1;
  const verdict = result.wrong.length === 0 ? 'the same' : `differs: ${result.wrong.join(', ')}`;
  console.log(`${number} ${name}, killed ${result.killed} times: ${verdict}`);
  if (result.wrong.length > 0) process.exitCode = 1;
}
for (const [name, times] of Object.entries(counts)) console.log(`${name}: ${times}`);
console.log(`${runs} runs were killed ${kills} times`);
