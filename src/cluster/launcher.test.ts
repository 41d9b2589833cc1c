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
      launcher: "MPICH's mpiexec",
      rank: 1,
      size: 2,
      localSize: 2,
    });
    expect(launchedBy(slurm)).toMatchObject({ launcher: "Slurm's srun", rank: 5, size: 11, localSize: 4 });
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
