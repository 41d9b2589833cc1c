/** Instead of `sources/disk-file.ts`. */
export const readError = (_path: string, error: unknown): unknown => error;
