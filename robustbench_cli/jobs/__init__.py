"""Pieces of work: train one run, attack one run, craft on one run for others.

A job is plain data, so it can go to another process or machine. `done()` says whether its result
already lies in the run directory, `run()` makes it so. The command line, experiments and Python
all go through these.
"""

from .attack import AttackJob
from .job import Job, Where, load_data
from .train import TrainJob
from .transfer import TransferJob

__all__ = ["AttackJob", "Job", "TrainJob", "TransferJob", "Where", "load_data"]
