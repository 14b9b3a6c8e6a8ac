"""Many jobs: one after another, in processes side by side, on a Ray cluster or as a job array.

run          what is not done, in an order in which all that a job needs is there
attempt      one job, and what became of it
pool, tasks  processes side by side: the one that lets jobs begin, and what it asks of the others
gpu_memory   what jobs take of a GPU, and so which of them share it
cluster      on a Ray cluster
job_array    as a job array of Slurm
"""

from .attempt import Finished, attempt
from .run import Watcher, Workers, run_jobs, side_by_side

__all__ = ["Finished", "Watcher", "Workers", "attempt", "run_jobs", "side_by_side"]
