"""Pieces of work: train one run, attack one run, craft on one run for others, analyse one run.

A job is plain data, so it can go to another process or machine. `done()` says whether its result
already lies in the run directory, `run()` makes it so. The command line, experiments and Python
all go through these.
"""

from .analyse import AnalyseJob, Question, make_question
from .attack import AttackJob
from .job import Job, Where, load_data
from .train import TrainJob
from .transfer import TransferJob

__all__ = [
    "AnalyseJob",
    "AttackJob",
    "Job",
    "Question",
    "TrainJob",
    "TransferJob",
    "Where",
    "load_data",
    "make_question",
]
