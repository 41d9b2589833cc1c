/** Instead of `sources/data-files.ts`. */
export const inputFiles = async (path: string): Promise<string[]> => [path];
