/** Instead of `files/staged-parquet.ts`, which nothing calls in a page. */
export const VECTOR_ROWS = 2048;
export const writeStagedParquet = undefined;
