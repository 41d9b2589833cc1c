/** Instead of `runs/event-file.ts`: TensorBoard reads a disk. */
import { InputError } from '../../errors.js';

export class EventFile {
  static isIn = (_folder: string): boolean => false;

  constructor(_folder: string, _resumedStep?: number) {
    throw new InputError(
      "tensorboard: a page has no disk for TensorBoard's files; take the run to one as a zip archive",
    );
  }

  append(_line: object): void {}
  flush(): void {}
  dispose(): void {}
}
