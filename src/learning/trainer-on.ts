/** The trainer for what an engine has. */
import type { Engine } from '../engine/engine.js';
import { DeviceGradientTrainer } from './device-gradient-trainer.js';
import { DeviceTrainer } from './device-trainer.js';
import { Trainer, type TrainerOptions } from './trainer.js';

/** A trainer that computes on the engine's device, where it has one. */
export function trainerOn(engine: Engine, options: TrainerOptions, lengthForLayout: number): Trainer {
  const { device } = engine;
  if (device === undefined) return new Trainer(engine, options, lengthForLayout);
  // The sum over ranks is taken between gradient and update, which one process has in one program.
  const OnDevice = (options.ranks?.size ?? 1) > 1 ? DeviceGradientTrainer : DeviceTrainer;
  return new OnDevice(device, engine, options, lengthForLayout);
}
