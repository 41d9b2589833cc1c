/** Which measurement of speed is asked for: `npm run speed -- [MEASUREMENT] …`. */
const HELP = `npm run speed -- [compare] [CONFIGURATION…] [options]   Lacuna and the peers that are installed, in turns
npm run speed -- browser [options]                     in a page of Chromium beside Node and beside peers
npm run speed -- objectives FILE… [options]             each objective beside the encoder passes it needs
npm run speed -- reading [ROWS]                         reading beside DuckDB alone
npm run speed -- profile CONFIGURATION [options]        the time of a step by operator and by layer
npm run speed -- agreement [options]                    training on a GPU beside training on the CPU: whether they agree
npm run speed -- show FILE…                             tables of numbers that a comparison wrote
mpirun -n 2 --bind-to none node speed/ranks.mjs         several processes beside one with as many threads

Each lists its options with --help after its name.`;

const measurements = ['compare', 'browser', 'objectives', 'reading', 'profile', 'agreement', 'show'];

const [first] = process.argv.slice(2);
if (first === '--help') console.log(HELP);
else {
  const named = measurements.includes(first);
  // Each reads what follows its name.
  if (named) process.argv.splice(2, 1);
  await import(`./${named ? first : 'compare'}.mjs`);
}
