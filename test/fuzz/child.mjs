/** Reads inputs of one parser in a process of its own: `child.mjs SETTINGS`, with an IPC channel. See `fuzz.mjs`. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { LacunaError } from '../../dist/errors.js';
import { inputOf } from './mutate.mjs';
import { parsersOf, Refused } from './parsers.mjs';

const { name, seed, from, to, folder, runs, place, inputs, most } = JSON.parse(process.argv[2]);
const parser = { name, ...(await parsersOf(folder, runs))[name] };

/** What is wrong with a way of failing; undefined where it is a refusal in one line. */
function fault(error) {
  if (!(error instanceof LacunaError || error instanceof Refused))
    return error instanceof Error ? traced(error) : `threw ${error}`;
  if (error.message.includes('\n'))
    return `a refusal of several lines: ${JSON.stringify(error.message.slice(0, 300))}`;
  return error.message.length > most.characters
    ? `a refusal of ${error.message.length} characters`
    : undefined;
}

/** An error by its name and the places that it came from, which are the kind of a finding, and then its message. */
function traced({ name, message, stack = '' }) {
  const places = [...stack.matchAll(/\n\s+at ([^\n]*)/g)].map(([, at]) =>
    at.replace(/file:.*\/(dist|node_modules)\//, ''),
  );
  return `${name} at ${places
    .filter((at) => !at.includes('node:'))
    .slice(0, 3)
    .join(' < ')}: ${JSON.stringify(message.slice(0, 200))}`;
}

let current = from;
const found = (why) => process.send({ found: { number: current, why } });
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => found(`${event}: ${fault(error) ?? error.message}`));

const file = openSync(place, 'w');
const number = new Int32Array(1);
const mebibytes = () => process.resourceUsage().maxRSS / 1024;
let refused = 0;
globalThis.gc();
let peak = mebibytes();
for (current = from; current < to; current++) {
  number[0] = current;
  writeSync(file, number, 0, 4, 0);
  const bytes = inputs ? Buffer.from(inputs[current], 'base64') : inputOf(parser, seed, current);
  const begun = process.cpuUsage().user;
  try {
    await parser.read(bytes);
  } catch (error) {
    refused++;
    const why = fault(error);
    if (why) found(why);
  }
  const seconds = (process.cpuUsage().user - begun) / 1e6;
  if (seconds > most.seconds) found(`took ${seconds.toFixed(1)} s`);
  const now = mebibytes();
  if (now - peak > most.mebibytes) found(`took ${(now - peak).toFixed(0)} MiB`);
  peak = now;
}
closeSync(file);
process.send({ done: { refused, peak } }, () => process.exit());
