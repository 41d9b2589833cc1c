/** What the methods of one task share: its records as tokens with the test labels sealed, its encoders, its programs. */

import { HELD_OUT } from '../config/defaults.js';
import { type LabelledData, readLabelled } from '../datasets/labelled-data.js';
import { RejectedRecords } from '../datasets/rejected-records.js';
import { KeptPrograms } from '../engine/kept-programs.js';
import { InputError } from '../errors.js';
import { fitDataOf } from '../fit/fit-data.js';
import type { Hooks } from '../learning/progress-event.js';
import { stepReporter } from '../learning/step-reporter.js';
import type { Run } from '../runs/folder.js';
import { splitParts } from '../scoring/parts.js';
import { openSource } from '../sources/open-source.js';
import { measured } from './measured.js';
import type { Pretrainings } from './pretrained-encoders.js';
import type { DataFolders, Session, SplitTask } from './suite.js';

export interface OpenSession extends Session {
  readonly counts: LabelledData['counts'];
  /** The pretrained encoders that a method asked for, and what it took to make them; forgotten when asked. */
  readonly takeUsed: () => { readonly runs: readonly Run[]; readonly seconds: number };
  readonly release: () => Promise<void>;
}

export async function openSession(
  task: SplitTask,
  context: {
    folders: DataFolders;
    engine: Session['engine'];
    pretrainings: Pretrainings;
    hooks: Hooks;
  },
): Promise<OpenSession> {
  const { folders, engine, pretrainings, hooks } = context;
  const { path } = await task.dataset.open(folders);
  const { tokenizer, model } = await pretrainings.model(task.pretraining);
  const rejected = new RejectedRecords();
  const source = await openSource(path, { onBadRecord: 'skip', report: rejected.report });
  const labelled = await readLabelled(source, {
    tokenizer,
    targets: task.targets,
    rejected,
    onBadRecord: 'skip',
    task: task.task,
    splitColumn: task.splitColumn,
    maskColumn: task.maskColumn,
    textColumn: tokenizer.text?.column,
    heldOut: HELD_OUT,
  });
  const parts = splitParts(labelled);
  const made = new KeptPrograms<{ value: unknown; release?: (value: never) => Promise<void> }>(
    async ({ value, release }) => release?.(value as never),
  );
  let used: ReturnType<OpenSession['takeUsed']> = { runs: [], seconds: 0 };
  const session: OpenSession = {
    task,
    labelled: { spec: labelled.spec, metric: task.metric, ...parts },
    fitData: (folds) =>
      session.shared(`fit data ${folds}`, () => fitDataOf(labelled, { metric: task.metric, engine, folds })),
    tokenizer,
    model,
    engine,
    hooks,
    onStep: (steps, trainings = 1) =>
      stepReporter(hooks, { steps, batchSize: task.finetuning.batchSize, total: steps * trainings }),
    counts: labelled.counts,
    async texts(part) {
      const { texts } = labelled;
      if (texts === undefined) throw new InputError(`${path}: the records of ${task.name} are no texts`);
      return Array.from(labelled.members[part], (record) => texts[record]);
    },
    async pretrained(changes) {
      const { result: run, seconds } = await measured(() => pretrainings.run(task.pretraining, changes));
      used = { runs: [...used.runs, run], seconds: used.seconds + seconds };
      return run;
    },
    async withEncoder(encoder) {
      const { pretraining } = task;
      const config = { ...pretraining.config, encoder };
      return {
        ...session,
        model: (await pretrainings.model({ ...pretraining, config })).model,
        pretrained: (changes) => session.pretrained({ ...changes, encoder }),
        shared: (key, ...making) => session.shared(`${key}, ${JSON.stringify(encoder)}`, ...making),
      };
    },
    takeUsed() {
      const taken = used;
      used = { runs: [], seconds: 0 };
      return taken;
    },
    async shared<T>(key: string, make: () => Promise<T>, release?: (value: T) => Promise<void>) {
      return (await made.of(key, async () => ({ value: await make(), release }))).value as T;
    },
    release: () => made.release(),
  };
  return session;
}
