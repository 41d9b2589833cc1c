#!/usr/bin/env node
import { launchedBy } from '../cluster/launcher.js';
import { runProgram } from './program.js';

// A reader such as `head` may close the pipe before the end; what it wanted, it has. A terminal that was closed gives EIO.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  });

process.exitCode = await runProgram(process.argv.slice(2));
// A rank that fails ends the others, which would wait for it.
if (process.exitCode !== 0 && launchedBy(process.env))
  await (await import('../cluster/mpi.js')).abortMpi(process.exitCode);

// The process ends by itself. Should something that failed have left a worker behind, it is not waited for.
setInterval(() => {
  if (process.stdout.writableLength === 0) process.exit();
}, 1000).unref();
