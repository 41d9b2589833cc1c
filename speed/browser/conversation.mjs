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

/** The factors of a step's commonest product: the states of a batch, and a matrix of their width. */
export function factorsOf(/** @type {Files['workload']} */ { model, batch }) {
  const { width } = model.encoder;
  const ones = (/** @type {[number, number]} */ shape) => ({
    shape,
    data: new Float32Array(shape[0] * shape[1]).fill(1),
  });
  return { states: ones([batch * model.spec.maxTokens, width]), weight: ones([width, width]) };
}

/** What the worker was started with, such as `?threads=2`. */
const asked = new URLSearchParams(location.search);

/**
 * Says the version, then answers each `{ do: 'train', steps }` by times and losses, and `{ do: 'multiply' }` by the time of one
 * product of `factorsOf`, from factors where it computes to a result in the worker.
 *
 * @param {(files: Files, asked: { threads: number, device: string }) => Promise<{
 *   version: string,
 *   train: (steps: number) => Promise<{ milliseconds: number[], losses: number[] }>,
 *   multiply?: () => Promise<unknown>,
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
    const { version, train, multiply } = await open(await fetchWorkload(), {
      threads: Number(asked.get('threads')),
      device: asked.get('device') ?? 'cpu',
    });
    const multiplied = async () => {
      const started = performance.now();
      await multiply?.();
      return { milliseconds: [performance.now() - started] };
    };
    last = Promise.resolve();
    addEventListener('message', ({ data }) => {
      last = last.then(() => (data.do === 'multiply' ? multiplied() : train(data.steps))).then(say, failed);
    });
    say({ version });
  } catch (error) {
    failed(error);
  }
}
