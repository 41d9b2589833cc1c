/** Training of several ranks with a device each, which computes the gradient; it comes back for the sum over the ranks. */
import type { DeviceEngine } from '../engine/device-engine.js';
import type { Engine, Executable, HostTensors } from '../engine/engine.js';
import { type Program, parametersOf } from '../graph/index.js';
import { hostTensor } from '../tensor/tensor.js';
import { checkAgainstCpu, joined, PARAMETERS, withFlatVectors } from './device-trainer.js';
import { parameterLayout, parameterViews } from './parameters.js';
import { Trainer, type TrainerOptions } from './trainer.js';

/**
 * A trainer whose programs run on a device, and whose state is the host's: at each run all parameters go there in one message,
 * and all that was computed comes back in one. Sum, norm and optimizer are those of ranks on the CPU.
 *
 * The first gradient is computed on the CPU as well. Throws LacunaError where its loss or norm differs by more than a thousandth.
 */
export class DeviceGradientTrainer extends Trainer {
  private checked = false;

  /** `lengthForLayout` is any length; it is the first to be built. The device is released with the trainer. */
  constructor(
    private readonly device: DeviceEngine,
    private readonly cpu: Engine,
    options: TrainerOptions,
    lengthForLayout: number,
  ) {
    super({ ...cpu, compile: (program) => compileJoined(device, program) }, options, lengthForLayout);
  }

  override async gradient(tokens: number, feeds: HostTensors): ReturnType<Trainer['gradient']> {
    const found = await super.gradient(tokens, feeds);
    if (this.checked) return found;
    this.checked = true;
    const onCpu = new Trainer(this.cpu, this.options, tokens);
    onCpu.state.parameters.set(this.state.parameters);
    if (this.state.average) onCpu.state.average?.set(this.state.average);
    const { loss } = await onCpu.gradient(tokens, feeds);
    await onCpu.release();
    checkAgainstCpu({ loss: found.loss, norm: this.gradientNorm() }, { loss, norm: onCpu.gradientNorm() });
    return found;
  }

  override async release(): Promise<void> {
    await super.release();
    await this.device.release();
  }
}

/** A program on a device, with one vector of all its parameters there and one of all its outputs, which are float32, back. */
async function compileJoined(device: DeviceEngine, program: Program): Promise<Executable> {
  const { name } = program;
  const layout = parameterLayout(parametersOf(Object.values(program.outputs)));
  const { outputs } = withFlatVectors(program, layout);
  const executable = await device.compile({ name, outputs: { joined: joined(Object.values(outputs)) } });
  const vector = hostTensor('float32', [layout.length], new Float32Array(layout.length));
  const parameters = parameterViews(layout, vector.data);
  return {
    async run(feeds, results) {
      for (const [name, { data }] of Object.entries(parameters)) data.set(feeds[name].data as Float32Array);
      const { joined: computed } = await executable.run({ ...feeds, [PARAMETERS]: vector });
      const all = await device.download(computed);
      computed.dispose();
      let next = 0;
      for (const name of Object.keys(outputs)) {
        const data = results[name].data as Float32Array;
        data.set(all.subarray(next, next + data.length));
        next += data.length;
      }
    },
    release: () => executable.release(),
  };
}
