"""From a config to a run.

What flows through, in order, and the word for it:

- a *config* (`config.py`) is everything that decides the weights; it names the run.
- a *method* (`method.py`, one file each in `methods/`) is what a paper changes, as optional hooks.
- a *batch* (`batch.py`) goes through the methods from left to right; the *objective*
  (`objective.py`) wraps them around one loss. `hooks.py` reaches into the network and leaves it
  as it was.
- `train.py` turns epochs of that into a run; `loop/` holds what it needs besides.
- `deploy.py` opens a run as what is attacked: the network with its test-time defences, the
  *predictor*; the *bare* view leaves the defences out.

What methods are made of lies in folders named after those that need it: `adversarial/` (the inner
maximisation), `mixing/` (mixup and its relatives), `augmenting/` (AugMix), `bottlenecks/` (VIB,
InfoMixup), `defences/` (JPEG, quilting, resizing, averaging: at test time).
"""
