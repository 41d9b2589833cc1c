/** What a launcher such as mpirun or srun says of a process, by its variables. */

type Variables = Readonly<Record<string, string | undefined>>;

/** A process that a launcher started beside others. */
export interface Launched {
  /** What started it. */
  readonly launcher: string;
  readonly rank: number;
  readonly size: number;
  /** How many of them are on this machine, where the launcher says. */
  readonly localSize?: number;
  /** Libraries to try, by name. */
  readonly libraries: readonly string[];
  /** Whether the launcher told them how to find each other, which srun does by `--mpi` alone. */
  readonly introduced: boolean;
}

const OPEN_MPI = ['libmpi.so.40', 'libmpi.so', 'libmpi.dylib'];
const MPICH = ['libmpich.so.12', 'libmpi.so.12', 'libmpi_cray.so.12', 'libmpich.dylib'];

const launchers = [
  {
    launcher: "Open MPI's mpirun",
    rank: 'OMPI_COMM_WORLD_RANK',
    size: 'OMPI_COMM_WORLD_SIZE',
    localSize: ['OMPI_COMM_WORLD_LOCAL_SIZE'],
    libraries: OPEN_MPI,
  },
  {
    launcher: "MPICH's mpiexec, or srun --mpi=pmi2,",
    rank: 'PMI_RANK',
    size: 'PMI_SIZE',
    // The first is mpiexec's.
    localSize: ['MPI_LOCALNRANKS', 'SLURM_STEP_TASKS_PER_NODE'],
    libraries: MPICH,
  },
  // A batch script has the rank but no step: what is started in it by itself is alone.
  {
    launcher: "Slurm's srun",
    rank: 'SLURM_PROCID',
    size: 'SLURM_STEP_NUM_TASKS',
    localSize: ['SLURM_STEP_TASKS_PER_NODE'],
    libraries: [...OPEN_MPI, ...MPICH],
  },
];

/** What started this process beside others; undefined for one that is alone. */
export function launchedBy(variables: Variables): Launched | undefined {
  for (const { launcher, libraries, ...names } of launchers) {
    const [rank, size] = [names.rank, names.size].map((name) => Number(variables[name] ?? Number.NaN));
    if (!Number.isInteger(rank) || !Number.isInteger(size)) continue;
    if (size < 2) return undefined;
    // Slurm writes 4(x2),3 for two nodes of four tasks and one of three.
    const localSize = Math.max(
      ...(names.localSize.map((name) => variables[name]).find((told) => told) ?? '')
        .split(',')
        .map((part) => Number.parseInt(part, 10) || 0),
    );
    const given = variables.LACUNA_MPI_LIBRARY;
    return {
      launcher,
      rank,
      size,
      ...(localSize > 0 && { localSize }),
      libraries: given ? [given] : libraries,
      introduced:
        names.rank !== 'SLURM_PROCID' || Object.keys(variables).some((name) => name.startsWith('PMI')),
    };
  }
  return undefined;
}
