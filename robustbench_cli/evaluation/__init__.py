"""From a network, images and an attack to an *evaluation*: which epsilon breaks which sample.

What flows through, in order, and the word for it:

- an *attack* (`attack.py`, one file each in `attacks/`) is a spec around Foolbox or an algorithm of
  ours (`algorithms/`).
- `plan.py` lays out a *plan* (objects, where a config is text) and cuts the samples into *chunks*,
  each with a seed of its own.
- the *network* is the predictor with a counter in front (`network.py`); a *victim* is a network
  with its answers to the clean images.
- a *schedule* decides for one sample which epsilon comes next; *lanes*, *mixed* batches and
  *rounds* run schedules: step by step, with an epsilon for each sample of an attack, or with one
  for all of them (`scheduling/`). `chance.py` says where random numbers come from, `mixing.py` what
  an attack must be able to do for the second.
- every adversarial is checked again, without the attack (`verification/`), and only then is it the
  *outcome* of its sample and epsilon.
- outcomes of a chunk are kept as a *part* until all are there; together they are the rows of the
  evaluation, and `recording/` writes the *record* that says how they came about.
- a *signal* (`signals/`) is a measurement taken on the side (`measure.py`); `trust/` reads it.

`evaluate.py`, `transfer.py` and `certify.py` are the three ways through. `throughput/` gives the
same answers sooner; `isolation.py` hands everything back as it was found.
"""
