/** A contender in a worker of a page: it is asked for steps by messages as one in a process is by lines. */
import { decodeSafetensors } from '../../dist/tensor/safetensors.js';

/** @typedef {Awaited<ReturnType<typeof import('../workload.mjs').readWorkload>>} Files */

/** The workload as the page's server has it. */
async function fetchWorkload() {
  const content = async (/** @type {string} */ name) => (await fetch(`/workload/${name}`)).arrayBuffer();
  const tensors = async (/** @type {string} */ name) =>
    decodeSafetensors(new Uint8Array(await content(`${name}.safetensors`)), name).tensors;
  return /** @type {Files} */ ({
    workload: JSON.parse(new TextDecoder().decode(await content('workload.json'))),
    weights: await tensors('weights'),
    batches: await tensors('batches'),
    records: {},
  });
}

/** What the worker was started with, such as `?threads=2`. */
const asked = new URLSearchParams(location.search);

/**
 * Says the version, then answers each `{ steps }` by times and losses.
 *
 * @param {(files: Files, asked: { threads: number, device: string }) => Promise<{
 *   version: string, train: (steps: number) => Promise<{ milliseconds: number[], losses: number[] }>,
 * }>} open
 */
export async function answer(open) {
  // What it loads may be rejected before anybody asks.
  const say = (/** @type {object} */ message) => postMessage(message);
  const failed = (/** @type {unknown} */ error) =>
    say({ error: error instanceof Error ? error.message : String(error) });
  /** @type {Promise<unknown>} */
  let last;
  try {
    const { version, train } = await open(await fetchWorkload(), {
      threads: Number(asked.get('threads')),
      device: asked.get('device') ?? 'cpu',
    });
    last = Promise.resolve();
    addEventListener('message', ({ data }) => {
      last = last.then(() => train(data.steps)).then(say, failed);
    });
    say({ version });
  } catch (error) {
    failed(error);
  }
}
