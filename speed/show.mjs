/** Tables of numbers that a comparison wrote: `npm run speed -- show FILE…`. */
import { readFile } from 'node:fs/promises';
import { comparisonTable } from './comparison-table.mjs';
import { describeMachine } from './machine.mjs';

const files = process.argv.slice(2);
if (files.length === 0 || files.includes('--help')) {
  console.log(
    'npm run speed -- show FILE…\n\nPrints the tables of numbers that a comparison wrote with --json.',
  );
  process.exit(files.length === 0 ? 2 : 0);
}
for (const file of files) {
  const { machine, results } = JSON.parse(await readFile(file, 'utf8'));
  console.log(`\n${describeMachine(machine)}`);
  for (const [name, rows] of Object.entries(results)) console.log(`\n${name}\n\n${comparisonTable(rows)}`);
}
