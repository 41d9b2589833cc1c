import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { DeviceEngine } from '../../src/engine/device-engine.js';
import type { Engine } from '../../src/engine/engine.js';
import { webgpuEngine } from '../../src/engine/webgpu.js';
import { compareWithReference, isWithinTolerances } from '../parity/compare.js';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

/** The device as an engine whose results are brought back. */
const bringingBack = (device: DeviceEngine): Engine => ({
  async compile(program) {
    const executable = await device.compile(program);
    return {
      async run(feeds, results) {
        for (const [name, tensor] of Object.entries(await executable.run(feeds))) {
          (results[name].data as Float32Array).set(await device.download(tensor));
          tensor.dispose();
        }
      },
      release: () => executable.release(),
    };
  },
});

it.each(files)('%s: a device has the numbers of the independent implementation', async (name) => {
  const device = await webgpuEngine();
  const parity = await compareWithReference(bringingBack(device), readFileSync(folder + name), name);
  console.log(JSON.stringify({ name, ...parity }));
  expect(isWithinTolerances(parity)).toBe(true);
  await device.release();
});
