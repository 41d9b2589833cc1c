/** Why a pickle was not read: one clause without the place. */
export class PickleError extends Error {}

export const damagedAt = (what: string): PickleError => new PickleError(`a damaged pickle: ${what}`);
