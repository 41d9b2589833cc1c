import { describe, expect, it } from 'vitest';
import { launchedBy } from './launcher.js';

const openMpi = {
  OMPI_COMM_WORLD_RANK: '2',
  OMPI_COMM_WORLD_SIZE: '4',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
  PMIX_RANK: '2',
};
const slurm = { SLURM_PROCID: '5', SLURM_STEP_NUM_TASKS: '11', SLURM_STEP_TASKS_PER_NODE: '4(x2),3' };

describe('what started a process', () => {
  it('is nobody, where there are no variables', () => {
    expect(launchedBy({})).toBeUndefined();
    expect(launchedBy({ OMPI_COMM_WORLD_RANK: '', PMI_RANK: '0' })).toBeUndefined();
  });

  it('is told by the variables of Open MPI, MPICH and Slurm', () => {
    expect(launchedBy(openMpi)).toMatchObject({
      launcher: "Open MPI's mpirun",
      rank: 2,
      size: 4,
      localSize: 2,
    });
    expect(launchedBy({ PMI_RANK: '1', PMI_SIZE: '2', MPI_LOCALNRANKS: '2' })).toMatchObject({
      launcher: expect.stringContaining("MPICH's mpiexec"),
      rank: 1,
      size: 2,
      localSize: 2,
    });
    expect(launchedBy(slurm)).toMatchObject({ launcher: "Slurm's srun", rank: 5, size: 11, localSize: 4 });
  });

  it('is srun by the protocol of MPICH, which tells less', () => {
    expect(launchedBy({ ...slurm, PMI_RANK: '5', PMI_SIZE: '11' })).toMatchObject({
      rank: 5,
      size: 11,
      localSize: 4,
      introduced: true,
    });
    // Of a process that mpiexec started by srun, the step is that of the proxies.
    const proxies = { SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '2', SLURM_STEP_TASKS_PER_NODE: '1(x2)' };
    expect(launchedBy({ ...proxies, PMI_RANK: '3', PMI_SIZE: '8', MPI_LOCALNRANKS: '4' })).toMatchObject({
      rank: 3,
      size: 8,
      localSize: 4,
    });
  });

  it('has told the processes how to find each other, but for an srun without --mpi', () => {
    expect(launchedBy(openMpi)).toMatchObject({ introduced: true });
    expect(launchedBy({ ...slurm, PMIX_RANK: '5' })).toMatchObject({ introduced: true });
    expect(launchedBy(slurm)).toMatchObject({ introduced: false });
  });

  it('says nothing of how many are on this machine where the launcher does not', () => {
    expect(launchedBy({ PMI_RANK: '1', PMI_SIZE: '2' })).not.toHaveProperty('localSize');
  });

  it('is nothing to a process that is alone, nor to one in a batch script, which is no step of its own', () => {
    expect(launchedBy({ OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' })).toBeUndefined();
    expect(launchedBy({ SLURM_PROCID: '0', SLURM_NTASKS: '8', SLURM_NPROCS: '8' })).toBeUndefined();
  });

  it('is mpirun where that was started by Slurm', () => {
    expect(launchedBy({ ...slurm, ...openMpi })).toMatchObject({ rank: 2, size: 4 });
    expect(launchedBy({ ...slurm, OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' })).toBeUndefined();
  });

  it('has a library, which can be named', () => {
    expect(launchedBy(openMpi)?.libraries[0]).toBe('libmpi.so.40');
    expect(launchedBy({ ...openMpi, LACUNA_MPI_LIBRARY: '/opt/libmpi.so' })?.libraries).toEqual([
      '/opt/libmpi.so',
    ]);
  });
});
