/** Errors between threads, which keep no classes. */
import { InputError, LacunaError, systemError } from '../errors.js';

/** An error as it crosses threads. */
export interface SentError {
  readonly kind: 'input' | 'expected' | 'aborted' | 'unexpected';
  readonly message: string;
  readonly exitCode: number;
  readonly stack?: string;
}

/** @param aborted whether its work had been asked to stop */
export function sendError(error: unknown, aborted: boolean): SentError {
  const expected = error instanceof LacunaError ? error : systemError(error);
  if (expected) {
    const kind = expected instanceof InputError ? 'input' : 'expected';
    return { kind, message: expected.message, exitCode: expected.exitCode };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: aborted ? 'aborted' : 'unexpected', message, exitCode: 1, stack };
}

/** The error again; one of work that was asked to stop is the reason of its signal. */
export function receiveError({ kind, message, exitCode, stack }: SentError, signal?: AbortSignal): unknown {
  if (kind === 'input') return new InputError(message);
  if (kind === 'expected') return new LacunaError(message, { exitCode });
  if (kind === 'aborted') return signal?.reason;
  const error = new Error(message);
  error.stack = stack;
  return error;
}
