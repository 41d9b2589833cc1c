/** Few training labels: the draws of a learning curve. */
import type { Part } from '../records/split.js';
import { className } from '../scoring/labels.js';
import type { LabelledRecords } from '../scoring/parts.js';
import { permutation, random } from '../tensor/random.js';

/**
 * The records of each part when only `shots` labelled records of each class are had for training, or so many in all where a
 * record has no single class; of validation no more are taken, and the test part stays. Records come in an order that the
 * seed draws, so that the draw of fewer shots is among that of more. A class with fewer records gives all.
 */
export function drawShots(
  { labels, members, spec }: Pick<LabelledRecords, 'labels' | 'members' | 'spec'>,
  shots: number,
  seed: number,
): LabelledRecords['members'] {
  const classOf = (record: number) => (hasClasses(spec) ? labels[record] : 0);
  const draw = (part: Part): Int32Array => {
    const taken = new Map<number, number>();
    const order = permutation(members[part].length, random(seed, `shots of ${part}`));
    const drawn: number[] = [];
    for (const place of order) {
      const record = members[part][place];
      const before = taken.get(classOf(record)) ?? 0;
      if (before === shots) continue;
      taken.set(classOf(record), before + 1);
      drawn.push(record);
    }
    return Int32Array.from(drawn).sort();
  };
  return { train: draw('train'), valid: draw('valid'), test: members.test };
}

/** `1 shot`, `5 shots` */
export const describeShots = (shots: number): string => `${shots} ${shots === 1 ? 'shot' : 'shots'}`;

/** Where training cannot give as many records as were asked for, in words; undefined where it can. */
export function describeShortage(
  { labels, members: { train }, spec }: Pick<LabelledRecords, 'labels' | 'members' | 'spec'>,
  shots: number,
): string | undefined {
  const counts = new Map<number, number>();
  for (const record of train) counts.set(labels[record], (counts.get(labels[record]) ?? 0) + 1);
  const few = hasClasses(spec)
    ? spec.classes[0].flatMap((_, index) => {
        const count = counts.get(index) ?? 0;
        return count < shots ? [`${count} of ${spec.columns[0]} ${className(spec, 0, index)}`] : [];
      })
    : train.length < shots
      ? [`${train.length}`]
      : [];
  return few.length === 0
    ? undefined
    : `${describeShots(shots)}: the training part has only ${few.join(', ')}; all of them are taken`;
}

/** Whether a record is of one class, so that shots are counted by class. */
const hasClasses = ({ task }: LabelledRecords['spec']) => task === 'binary' || task === 'multiclass';
