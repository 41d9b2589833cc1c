/** Longer messages, which may quote what a file holds, lose their middle. */
const MOST_CHARACTERS = 4000;

/** A message as one line that a terminal can show: line ends become spaces. */
export function oneLine(message: string): string {
  const line = message.replaceAll(/[\r\n]+ */g, ' ');
  if (line.length <= MOST_CHARACTERS) return line;
  return `${line.slice(0, MOST_CHARACTERS / 2)} … ${line.slice(-MOST_CHARACTERS / 4)}`;
}

/** Names for a message: all of a few; of more the first ones, and how many there are. */
export const listed = (names: readonly string[], most = 12): string =>
  names.length > most ? `${names.slice(0, most).join(', ')}, … (${names.length})` : names.join(', ');

/** An expected failure, worth one line to the user instead of a stack trace. The command exits with `exitCode`. */
export class LacunaError extends Error {
  readonly exitCode: number;
  constructor(message: string, { exitCode = 1, cause }: { exitCode?: number; cause?: unknown } = {}) {
    super(oneLine(message), { cause });
    this.name = 'LacunaError';
    this.exitCode = exitCode;
  }
}

/** Bad usage or bad input: the message says where, what was expected, what arrived and what to try. Exit code 2. */
export class InputError extends LacunaError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { exitCode: 2, ...options });
    this.name = 'InputError';
  }
}

/**
 * The one line for an error of the system that nobody expected where it came up, such as a disk that fails or a folder that
 * is removed meanwhile; undefined for any other error.
 */
export function systemError(error: unknown): LacunaError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return undefined;
  return new LacunaError(
    `${path === undefined ? '' : `${path}: `}the system refused to go on (${error.message}); check the disk, the path and the permissions`,
    { cause: error },
  );
}
