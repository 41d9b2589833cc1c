/** Instead of `sources/partial-names.ts`: a browser keeps what is half-written to itself. */
export const PARTIAL_SUFFIX = '.partial';
export const partialName = (path: string): string => `${path}${PARTIAL_SUFFIX}`;
export async function removeAbandoned(): Promise<void> {}
