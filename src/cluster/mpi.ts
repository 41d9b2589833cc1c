/** Ranks on the machine's own MPI library, Open MPI or MPICH, called through koffi. */
import { hostname } from 'node:os';
import { InputError, LacunaError } from '../errors.js';
import { type Launched, launchedBy } from './launcher.js';
import { blocksOf, piecesOf, type Ranks } from './ranks.js';

type Koffi = typeof import('koffi').default;
type Library = ReturnType<Koffi['load']>;

/** How long a rank waits for the others unless told otherwise, in seconds. */
export const RANK_TIMEOUT = 1800;

/** MPI_THREAD_MULTIPLE: a rank that waits in one thread can be ended from another. */
const THREAD_MULTIPLE = 3;
/** MPI_THREAD_SERIALIZED: calls come from several threads, one at a time. */
const THREAD_SERIALIZED = 2;

/** Most bytes in one broadcast, whose count is an int. */
const LARGEST = 2 ** 30;

interface Native {
  readonly library: Library;
  /** How a handle is passed: Open MPI has pointers, MPICH has numbers. */
  readonly handle: 'void *' | 'int';
  readonly world: unknown;
  readonly float: unknown;
  readonly double: unknown;
  readonly byte: unknown;
  readonly add: unknown;
  readonly inPlace: unknown;
}

async function loadNative({ launcher, libraries, rank, size }: Launched): Promise<Native> {
  const which = `${launcher} started this as rank ${rank} of ${size}`;
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => {
      throw new LacunaError(
        `${which}, and the package koffi, which calls MPI, is not installed; npm install koffi, or start one process alone`,
      );
    },
  );
  // MPICH needs more than the usual stack in the threads that wait.
  koffi.config({ ...koffi.config(), async_stack_size: 4 << 20 });
  for (const name of libraries) {
    let library: Library;
    try {
      library = koffi.load(name, { global: true, lazy: true });
    } catch {
      continue;
    }
    keepLoaded(library, name);
    return constantsOf(library);
  }
  throw new LacunaError(
    `${which}, and none of the libraries ${libraries.join(', ')} could be loaded; install Open MPI or MPICH, name the file in LACUNA_MPI_LIBRARY, or start one process alone`,
  );
}

/** The handles of mpi.h: addresses of objects in Open MPI, numbers of its ABI in MPICH. */
function constantsOf(library: Library): Native {
  const text = Buffer.alloc(8192);
  library.func('int MPI_Get_library_version(void *text, _Out_ int *length)')(text, [0]);
  if (!text.toString('latin1').startsWith('Open MPI')) {
    return {
      library,
      handle: 'int',
      world: 0x44000000,
      float: 0x4c00040a,
      double: 0x4c00080b,
      byte: 0x4c00010d,
      add: 0x58000003,
      inPlace: 0xffffffffffffffffn,
    };
  }
  const address = (name: string) => library.symbol(`ompi_${name}`, 'void');
  return {
    library,
    handle: 'void *',
    world: address('mpi_comm_world'),
    float: address('mpi_float'),
    double: address('mpi_double'),
    byte: address('mpi_byte'),
    add: address('mpi_op_sum'),
    inPlace: 1n,
  };
}

const number = (call: (out: number[]) => number): number => {
  const out = [0];
  call(out);
  return out[0];
};

/**
 * Meets the other processes of a launch, with which this one has to be started at the same time. `timeout` is how many
 * seconds it waits for them at each call. Throws LacunaError where koffi or the library is missing, where the library does not
 * belong to the launcher, and from its methods where the others do not come; InputError where the launcher did not tell them how
 * to find each other.
 */
export async function openMpi(launched: Launched, timeout = RANK_TIMEOUT): Promise<Ranks> {
  if (!launched.introduced) {
    throw new InputError(
      `${launched.launcher} started ${launched.size} processes that do not know of each other; start them with srun --mpi=pmix, or with --mpi=pmi2 for MPICH (srun --mpi=list has what there is), or one process alone`,
    );
  }
  const native = await loadNative(launched);
  const { library, handle: h, world } = native;
  const define = (name: string, parameters: string) => library.func(`int MPI_${name}(${parameters})`);
  waitPolitely(native);
  const level = number((out) =>
    define('Init_thread', 'void *argc, void *argv, int required, _Out_ int *provided')(
      null,
      null,
      THREAD_MULTIPLE,
      out,
    ),
  );
  if (level < THREAD_SERIALIZED)
    throw new LacunaError(
      `${launched.launcher}: its MPI library allows no calls from several threads (level ${level}, at least ${THREAD_SERIALIZED} is needed); use one that was built with threads`,
    );
  const rank = number((out) => define('Comm_rank', `${h} comm, _Out_ int *rank`)(world, out));
  const size = number((out) => define('Comm_size', `${h} comm, _Out_ int *size`)(world, out));
  if (size !== launched.size) {
    throw new LacunaError(
      `${launched.launcher} started ${launched.size} processes, and the MPI library sees ${size}: it is not the launcher's; ${
        launched.launcher.includes('Slurm')
          ? 'start with srun --mpi=pmix (or what srun --mpi=list has)'
          : 'start with the mpirun of that library'
      }, or name the right file in LACUNA_MPI_LIBRARY`,
    );
  }

  const call = (name: string, parameters: string) => {
    const f = define(name, parameters);
    return async (what: string, ...given: unknown[]): Promise<void> => {
      const done = new Promise<void>((resolve, reject) => {
        f.async(...given, (error: unknown, code: number) => {
          if (error || code !== 0) reject(error ?? new LacunaError(`MPI_${name}: code ${code}`));
          else resolve();
        });
      });
      await within(timeout, done, () => {
        const by = `rank ${rank} of ${size} on ${hostname()}`;
        return `${by} waited ${timeout} s for the others to ${what}, and at least one did not come: it hangs, or is slower than that; look at the machines, or give more --rank-timeout`;
      });
    };
  };
  const allreduce = call(
    'Allreduce',
    `void *from, void *to, int count, ${h} type, ${h} operation, ${h} comm`,
  );
  const reduceScatter = call(
    'Reduce_scatter',
    `void *from, void *to, void *counts, ${h} type, ${h} operation, ${h} comm`,
  );
  const allgatherv = call(
    'Allgatherv',
    `void *from, int sent, ${h} fromType, void *to, void *counts, void *places, ${h} toType, ${h} comm`,
  );
  const allgather = call(
    'Allgather',
    `void *from, int sent, ${h} fromType, void *to, int received, ${h} toType, ${h} comm`,
  );
  const bcast = call('Bcast', `void *buffer, int count, ${h} type, int root, ${h} comm`);
  const meet = call('Barrier', `${h} comm`);
  const barrier = () => meet('come here', world);

  const sum: Ranks['sum'] = async (values) => {
    const type = values instanceof Float64Array ? native.double : native.float;
    for (const { start, end } of blocksOf(values.length))
      await allreduce(
        'add up',
        native.inPlace,
        values.subarray(start, end),
        end - start,
        type,
        native.add,
        world,
      );
  };
  /** int32[size]: of a block of so many numbers, how many are each rank's own. */
  const countsOf = (length: number): Int32Array =>
    Int32Array.from({ length: size }, (_, other) => {
      const [{ start, end }] = piecesOf(length, { rank: other, size });
      return end - start;
    });
  const sumPieces: Ranks['sumPieces'] = async (values, own) => {
    let next = 0;
    for (const { start, end } of blocksOf(values.length)) {
      const counts = countsOf(end - start);
      const to = own.subarray(next, next + counts[rank]);
      await reduceScatter('add up', values.subarray(start, end), to, counts, native.float, native.add, world);
      next += counts[rank];
    }
  };
  const sharePieces: Ranks['sharePieces'] = async (values) => {
    const { inPlace, float } = native;
    for (const { start, end } of blocksOf(values.length)) {
      const counts = countsOf(end - start);
      const places = counts.map((_, i) => counts.subarray(0, i).reduce((sum, count) => sum + count, 0));
      const block = values.subarray(start, end);
      await allgatherv('share', inPlace, 0, float, block, counts, places, float, world);
    }
  };
  const gatherBytes: Ranks['gatherBytes'] = async (own) => {
    const all = new Uint8Array(size * own.length);
    await allgather('tell', own, own.length, native.byte, all, own.length, native.byte, world);
    return all;
  };
  const gather: Ranks['gather'] = async (text) => {
    const bytes = new TextEncoder().encode(text);
    const lengths = new Float64Array(size);
    lengths[rank] = bytes.length;
    await sum(lengths);
    const longest = Math.max(1, ...lengths);
    const own = new Uint8Array(longest);
    own.set(bytes);
    const all = await gatherBytes(own);
    const decoder = new TextDecoder();
    return Array.from(lengths, (length, i) =>
      decoder.decode(all.subarray(i * longest, i * longest + length)),
    );
  };
  const hosts = await gather(hostname());
  return {
    rank,
    size,
    localRank: hosts.slice(0, rank).filter((host) => host === hosts[rank]).length,
    sum,
    sumPieces,
    sharePieces,
    gatherBytes,
    gather,
    async broadcast({ buffer, byteOffset, byteLength }) {
      for (let from = 0; from < byteLength; from += LARGEST) {
        const part = new Uint8Array(buffer, byteOffset + from, Math.min(LARGEST, byteLength - from));
        await bcast('hear rank 0', part, part.length, native.byte, 0, world);
      }
    },
    async agree(flag) {
      const count = Float64Array.of(flag ? 1 : 0);
      await sum(count);
      return count[0] > 0;
    },
    barrier,
    async finalize() {
      await barrier();
      define('Finalize', '')();
    },
  };
}

/**
 * Has ranks that wait give way to those that work, for where they share cores. Open MPI reads this from the process's
 * environment, which a worker thread of Node has only a copy of; MPICH gives way by itself.
 */
function waitPolitely({ library }: Native): void {
  try {
    library.func('int setenv(const char *name, const char *value, int overwrite)')(
      'OMPI_MCA_mpi_yield_when_idle',
      '1',
      0,
    );
  } catch {
    // Where a library does not lead to the C library the launcher can be told: --mca mpi_yield_when_idle 1.
  }
}

/**
 * Holds the library until the process ends. koffi lets go of it with the thread that loaded it, and a thread that ends later calls
 * what Open MPI registered for that once it has used TCP, which would no longer be there.
 */
function keepLoaded(library: Library, name: string): void {
  const LAZY = 1;
  try {
    library.func('void *dlopen(const char *name, int flags)')(name, LAZY);
  } catch {
    // Where a library does not lead to the C library it is let go of.
  }
}

async function within<T>(seconds: number, promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LacunaError(message())), 1000 * seconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Ends all processes of the launch with this exit code, this one among them, where it has met them and has not taken
 * leave. Can be called from another thread than the one that works.
 */
export async function abortMpi(code: number, variables: NodeJS.ProcessEnv = process.env): Promise<void> {
  const launched = launchedBy(variables);
  const native = launched && (await loadNative(launched).catch(() => undefined));
  if (!native) return;
  const { library, handle, world } = native;
  const is = (state: string) => number((out) => library.func(`int MPI_${state}(_Out_ int *flag)`)(out)) !== 0;
  if (is('Initialized') && !is('Finalized'))
    library.func(`int MPI_Abort(${handle} comm, int code)`)(world, code);
}
