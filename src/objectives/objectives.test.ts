import { type ObjectiveKind, objectives } from './index.js';
import { maskedObjectiveCases } from './masked-autoencoding.case.js';
import { objectiveCases, smallModel } from './objective.case.js';

for (const kind of Object.keys(objectives) as ObjectiveKind[])
  objectiveCases(kind, (spec) => smallModel(spec, kind));
objectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));

for (const kind of ['sma', 'random-masking'] as const)
  maskedObjectiveCases(kind, (spec) => smallModel(spec, kind));
maskedObjectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));
maskedObjectiveCases('random-masking with an output layer of its own', (spec) =>
  smallModel(spec, 'random-masking', { tied_output: false }),
);
