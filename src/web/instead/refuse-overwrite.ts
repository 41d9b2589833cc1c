/** Instead of `files/refuse-overwrite.ts`: the files that are handed in are never written. */
export async function refuseOverwrite(): Promise<void> {}
export async function refuseOverwriteFolder(): Promise<void> {}
