"""Can this number be believed?

A *check* (`check.py`, one file each in `checks/`) reads *evidence* (evaluations of one run, and the
*signals* that were measured with them) and returns a *finding*: passed, warning or failure, with
what was seen and what to do. `examine.py` asks all checks about the runs of a table and words the
verdict. Nothing is measured here, and torch is not needed: what has to be measured is a signal.
"""
