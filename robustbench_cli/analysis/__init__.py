"""Analyses: what a trained network looks like from inside and around its images; no attacks.

What flows through this room, in order:

- an *analysis* (`analysis.py`; one file each in `analyses/`) is a question with typed parameters.
- the *subject* is all that it may look at: the network in eval mode and frozen, test images, a
  seed, and, only where the analysis names them as its needs, training images, the network of
  another run, or stored evaluations.
- `chosen` are the items that it looks at (images, pairs, classes), one row each; they are decided
  first, by the seed.
- a *piece* is a few of them: it is looked at in one go, and kept on disk once it is done, so that a
  killed analysis goes on where it was (`runs/parts.py`, as in evaluations).
- *columns* are what a piece gives: numpy arrays of one length. All pieces together are the *table*.
- *numbers* sum the table up. They are written into the record, so that reports average them over
  seeds without torch and without this room.
- the result is an `Analysed` (`runs/analysed.py`): table and record, in the run's `analyses/`.

`analyse.py` does all that for a network at hand; `jobs/analyse.py` for a run directory. Pictures
are drawn from stored tables, in `reporting/figures/`. Mathematics that several analyses share lies
in files named after it (`planes.py`, `gradients.py`, ...).
"""
