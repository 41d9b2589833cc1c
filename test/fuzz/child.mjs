// @ts-nocheck: plain JavaScript that runs what is built
/** Reads inputs of some parsers in a process of its own: `child.mjs SETTINGS`, with an IPC channel. See `fuzz.mjs`. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { LacunaError } from '../../dist/errors.js';
import { inputOf } from './mutate.mjs';
import { parsersOf, Refused } from './parsers.mjs';

const { plan, seed, from, folder, runs, place, most } = await new Promise((resolve) =>
  process.once('message', resolve),
);
const parsers = await parsersOf(folder, runs);

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
  const own = places.filter((at) => !at.includes('node:')).slice(0, 3);
  return `${name} at ${own.join(' < ')}: ${JSON.stringify(message.slice(0, 200))}`;
}

/** The inputs of all parsers, counted through. */
let current = from;
let name = '';
let number = 0;
const found = (why) => process.send({ found: { name, number, why } });
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => found(`${event}: ${fault(error) ?? error.message}`));

const file = openSync(place, 'w');
const mebibytes = () => process.resourceUsage().maxRSS / 1024;
let refused = 0;
globalThis.gc();
let peak = mebibytes();
let first = 0;
for (const { count, inputs, ...planned } of plan) {
  name = planned.name;
  const parser = { name, ...parsers[name] };
  for (; current < first + count; current++) {
    number = current - first;
    writeSync(file, Int32Array.of(current), 0, 4, 0);
    const bytes = inputs ? Buffer.from(inputs[number], 'base64') : inputOf(parser, seed, number);
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
  first += count;
}
closeSync(file);
process.send({ done: { refused, peak } }, () => process.exit());
