/** One process that is measured, spoken to in lines of JSON; peers/README.md has the conversation. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/**
 * @typedef {{
 *   name: string, command: string[], parameters?: string[], embeds?: boolean,
 *   needs?: string, trains?: (encoder: { kind: string, width: number }) => boolean,
 * }} ContenderKind
 */

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const python = process.env.LACUNA_PEER_PYTHON ?? here('peers/pytorch/.venv/bin/python');
const pytorch = (/** @type {string} */ file) => ({
  command: [python, here(`peers/pytorch/${file}`)],
  needs: python,
});

const tensorFlow = {
  command: [process.execPath, here('peers/tensorflow-js/peer.mjs')],
  needs: here('peers/tensorflow-js/node_modules'),
};

/** @type {readonly ContenderKind[]} */
export const contenders = [
  { name: 'lacuna', command: [process.execPath, here('lacuna.mjs')], embeds: true },
  { name: 'pytorch-best', ...pytorch('best.py'), embeds: true },
  { name: 'pytorch-authors', ...pytorch('authors.py'), trains: ({ kind }) => kind === 'perceiver' },
  // A step of a wide model takes minutes.
  { name: 'tensorflow-js', ...tensorFlow, trains: ({ width }) => width <= 256 },
  { name: 'tensorflow-js-own-kernels', ...tensorFlow, parameters: ['own-kernels'] },
];

/** Steps on the device that was asked for, beside those on the CPU. @type {ContenderKind} */
export const onDevice = {
  name: 'lacuna --device webgpu',
  command: [process.execPath, here('lacuna.mjs')],
  parameters: ['webgpu'],
};

/** PyTorch on the same card, in float32. @type {readonly ContenderKind[]} */
export const onCuda = [
  { name: 'pytorch-cuda', ...pytorch('on_cuda.py'), parameters: ['eager'] },
  { name: 'pytorch-cuda-compiled', ...pytorch('on_cuda.py'), parameters: ['compiled'] },
];

/** Why PyTorch cannot compute on a card here; undefined where it can. */
export function withoutCuda() {
  if (!isInstalled(onCuda[0])) return 'PyTorch is not installed; speed/peers says how';
  const program = 'import torch; print(torch.__version__, torch.cuda.is_available())';
  const [version, available] =
    spawnSync(python, ['-c', program], { encoding: 'utf8' }).stdout?.split(/\s+/) ?? [];
  return available === 'True' ? undefined : `PyTorch ${version ?? ''} of ${python} finds no CUDA device`;
}

/** Counts the kernels of a step on a device; see launches.mjs. */
export async function countLaunches(/** @type {string} */ folder) {
  const child = spawn(process.execPath, [here('launches.mjs'), folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let told = '';
  for await (const chunk of child.stdout) told += chunk;
  /** @type {{ launches?: number, nodes?: number, kernelMilliseconds?: number, nodesOnCpu?: number }} */
  const counted = told === '' ? {} : JSON.parse(told);
  return counted;
}

/** The machine's matrix product, in turn with the others. */
export const sgemm = { name: 'sgemm', command: [process.execPath, here('sgemm.mjs')] };

export const isInstalled = (/** @type {ContenderKind} */ { needs }) =>
  needs === undefined || existsSync(needs);

/** Holds the process; `stop` ends it. */
export class Contender {
  /** What the process says when it starts. @type {{ version: string, operations?: number }} */
  hello = { version: '' };
  #complaint = '';
  #child;
  #lines;

  constructor(
    /** @type {string} */ name,
    /** @type {readonly string[]} */ command,
    /** @type {readonly string[]} */ parameters,
  ) {
    this.name = name;
    const [program, ...first] = command;
    this.#child = spawn(program, [...first, ...parameters], { stdio: 'pipe' });
    this.#child.stderr.on('data', (chunk) => {
      this.#complaint = (this.#complaint + chunk).slice(-2000);
    });
    this.#child.on('error', ({ message }) => {
      this.#complaint = message;
    });
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #answer() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended: ${this.#complaint.trim().split('\n').at(-1)}`);
    return JSON.parse(value);
  }

  async start() {
    this.hello = await this.#answer();
    return this;
  }

  /** @returns {Promise<{ milliseconds: number[], losses?: number[] }>} */
  async ask(/** @type {object} */ command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    return this.#answer();
  }

  /** Peak resident memory in MiB since the last `forgetPeak`; undefined where the system does not tell. */
  async peakMemory() {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8').catch(() => '');
    const kibibytes = /VmHWM:\s+(\d+)/.exec(status)?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) / 1024;
  }

  /** Building and compiling are not part of the peak. */
  async forgetPeak() {
    await writeFile(`/proc/${this.#child.pid}/clear_refs`, '5').catch(() => {});
  }

  stop() {
    this.#child.stdin.end();
    this.#child.kill();
  }
}
