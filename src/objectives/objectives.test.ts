import { type ObjectiveKind, objectives } from './index.js';
import { objectiveCases, smallModel } from './objective.case.js';

for (const kind of Object.keys(objectives) as ObjectiveKind[]) {
  objectiveCases(kind, (spec) => smallModel(spec, kind));
}
objectiveCases('sma with a schedule', (spec) => smallModel(spec, 'sma', { select_initial_ratio: 0.6 }));
objectiveCases('random-masking with an output layer of its own', (spec) =>
  smallModel(spec, 'random-masking', { tied_output: false }),
);
