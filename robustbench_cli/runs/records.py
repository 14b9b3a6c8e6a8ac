"""The JSON documents of a run directory: what their keys hold, and which format is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.schema import Entry, check_document, short

_IDENTITY = (
    Entry("view", "text", "the network bare or deployed", optional=True),
    Entry("defence", "text", "what was put before it", empty=True, optional=True),
)
_COST = (
    Entry("forwards", "number", "forward passes per sample"),
    Entry("backwards", "number", "backward passes per sample"),
    Entry("seconds", "number", "all of it, on that machine"),
)
_MADE = (
    Entry("parameters", "object", "settings of the attack or analysis", optional=True),
    Entry("seed", "whole number", "of its random numbers", optional=True),
    Entry("n", "whole number", "samples or items looked at", optional=True),
    Entry("cost", "object", "forwards and backwards, and seconds", _COST, optional=True),
    Entry("device", "text", "where it ran", optional=True),
    Entry("versions", "object", "of robustmix and what it stands on", optional=True),
    Entry("commit", "text", "of robustmix", empty=True, optional=True),
    Entry("identity", "object", "all that the result depends on", _IDENTITY, optional=True),
)
_ROWS = (
    Entry("rows", "text", "name of the table beside it"),
    Entry("rows_digest", "text", "first 16 hexadecimal digits of its SHA-256"),
)


def _numbers(*names: str, optional: bool = False) -> tuple[Entry, ...]:
    return tuple(Entry(name, "number or NaN", "", optional=optional) for name in names)


_EPS = Entry("eps", "text", "", optional=True)
_SIGNALS = {
    "answers": _numbers("repeat", "repeat_flips", "batch", "batch_flips", "probabilities"),
    "convergence": (
        *_numbers("tried"),
        *_numbers("broken", "silent", "shorter", "n", optional=True),
        _EPS,
        Entry("attack", "text", ""),
    ),
    "forward-pass": _numbers("changed", "training", "gradients"),
    "gradients": _numbers("zero_ce", "zero_margin", "nan", "lead", "predicted"),
    "input-scale": (*_numbers("as_is", "best", "won", "lost", "high"), Entry("better", "text", "")),
    "leaps": (*_numbers("tried", "broken", "n"), _EPS, Entry("attack", "text", "")),
    "loss-jumps": _numbers("change"),
    "rivals": (*_numbers("tried", "noise"), *_numbers("search", optional=True), _EPS),
    "unbounded": _numbers("accuracy", "eps", "n"),
}
_MEASURED = (
    Entry("left_out", "list of texts", "signals that would have cost too much", optional=True),
    *(
        Entry(name, "object", "", keys, empty=True, optional=True)
        for name, keys in _SIGNALS.items()
    ),
)
_AUDITED = (Entry("eps", "text", "the budget"), Entry("right", "text", "a 0 or 1 for each sample"))
_MEMBERS = (
    Entry("eps", "text", "the budget"),
    Entry("member", "text", "name of the attack"),
    Entry("tried", "whole number", "samples that the members before it left"),
    Entry("broken", "whole number", "of these"),
    Entry("in_all", "whole number", "broken, of what others broke first, too", optional=True),
    Entry("alone", "whole number", "broken by no other member", optional=True),
    Entry("forwards", "whole number", "forward passes in all"),
    Entry("backwards", "whole number", "backward passes in all"),
    Entry("seconds", "number", "on that machine"),
)
_REACHED = (
    Entry("eps", "text", "the budget"),
    Entry("reached", "whole number", "samples taken for the class aimed at"),
    Entry("n", "whole number", "samples of other classes"),
)
_LISTED = (Entry("index", "whole number", "the sample"), Entry("reason", "text", "what happened"))

EVALUATION = (
    Entry("format", "whole number", "1"),
    Entry("attack", "text", "spec of the attack"),
    Entry("norm", "text", "linf, l2, l1 or l0"),
    Entry("epsilons", "list of texts", "the budgets, rising, in pixels of [0, 1]"),
    *_ROWS,
    *_MADE,
    Entry("kind", "text", "budget, minimal or certified", optional=True),
    Entry("access", "text", "what the attack may ask of the network", optional=True),
    Entry("one_step", "true or false", "whether it takes a single step", optional=True),
    Entry("schedule", "text", "which samples were tried at which epsilon", optional=True),
    Entry("truncated", "true or false", "whether only some test images", optional=True),
    Entry("view", "text", "smoothed, of certificates", optional=True),
    Entry("abstained", "whole number", "of certificates", optional=True),
    Entry("source", "text", "of transfers: the run attacked", optional=True),
    Entry("target", "text", "of transfers: the run shown the images", optional=True),
    Entry("white_box", "true or false", "of transfers: whether both are one", optional=True),
    Entry(
        "rejected",
        "list of objects",
        "adversarials that failed verification",
        _LISTED[1:],
        optional=True,
    ),
    Entry(
        "failed", "list of objects", "samples that could not be attacked", _LISTED, optional=True
    ),
    Entry("notes", "list of texts", "what else is worth knowing", optional=True),
    Entry("defences", "list of objects", "what stood before the network", optional=True),
    Entry(
        "audit",
        "object",
        "samples attacked at every epsilon",
        (Entry("epsilons", "list of objects", "", _AUDITED, optional=True),),
        empty=True,
        optional=True,
    ),
    Entry("members", "list of objects", "of a worst case", _MEMBERS, optional=True),
    Entry(
        "at_target",
        "list of objects",
        "how many samples of other classes are taken for the class aimed at",
        _REACHED,
        optional=True,
    ),
    Entry("signals", "object", "measurements that the checks read", _MEASURED, optional=True),
)
"""attacks/*.json and transfer/*.json."""

TRANSFER = (
    Entry("source", "text", "the run whose network was attacked"),
    Entry("target", "text", "the run whose network was shown the images"),
)
"""transfer/*.json, too."""

ANALYSED = (
    Entry("format", "whole number", "1"),
    Entry("analysis", "text", "spec of the analysis"),
    Entry(
        "numbers",
        "list of objects",
        "what sums up the table",
        (
            Entry("name", "text", "unique"),
            Entry("value", "number", "null where there is none", empty=True),
            Entry("unit", "text", "share, pixels, degrees, count or plain"),
            Entry("of", "whole number", "items that a share is of", empty=True, optional=True),
        ),
    ),
    Entry("columns", "object", "kinds of the table's columns: i, f, b (numpy's) or O, text"),
    *_ROWS,
    *_MADE,
)
"""analyses/*.json."""

_CONFIG = (
    Entry("data", "text", "spec of the data set"),
    Entry("model", "text", "spec of the network"),
    Entry("method", "text", "spec of the training method"),
    Entry("seed", "whole number", "of all random numbers", empty=True, optional=True),
    Entry("validation", "number", "share of training images held out", empty=True, optional=True),
    Entry("train_fraction", "number", "share of training images", empty=True, optional=True),
)
_DATA = (
    Entry("classes", "list of texts", "their names, in order", optional=True),
    Entry("shape", "list of whole numbers", "channels, height, width", optional=True),
    Entry("train_size", "whole number", "training images", optional=True),
    Entry("test_images", "object of numbers", "how many, and how many seen", optional=True),
)
_GUESS = (
    Entry(
        "readings",
        "list of objects",
        "the chosen one, what else is possible, and the others",
        (
            Entry("option", "text", "what to type to choose it"),
            Entry("right", "whole number", "training images that are right"),
            Entry("of", "whole number", "training images shown"),
            Entry("possible", "true or false", "whether clean accuracy leaves it"),
        ),
    ),
    Entry(
        "judged",
        "list of objects",
        "short attacks on the possible ones",
        (
            Entry("norm", "text", ""),
            Entry("eps", "text", "the budget"),
            Entry("attack", "text", ""),
            Entry("accuracy", "list of numbers", "by possible reading"),
        ),
    ),
)
_BEGAN = (
    Entry("digest", "text", "of the file of these weights"),
    Entry("new", "list of texts", "tensors that are not from there", empty=True),
)
RUN = (
    Entry("format", "whole number", "1"),
    Entry("config", "object", "all that decides the weights", _CONFIG),
    Entry("status", "text", "done once the weights are final", optional=True),
    Entry("created", "text", "when, ISO 8601 in UTC", optional=True),
    Entry("data", "object", "the images: classes, shape, sizes, digests", _DATA, True, True),
    Entry("guess", "object", "of weights of others: how they see images", _GUESS, optional=True),
    Entry("began", "object", "with which weights a training began", _BEGAN, optional=True),
    Entry("validation_accuracy", "number", "in [0, 1]", empty=True, optional=True),
    Entry("validation_loss", "number", "cross-entropy, in nats", empty=True, optional=True),
    Entry("validation_balanced", "number", "mean over the classes", empty=True, optional=True),
    Entry("seconds", "number", "of training", optional=True),
    Entry("device", "text", "where it was trained", optional=True),
    Entry("versions", "object", "of robustmix and what it stands on", optional=True),
    Entry("commit", "text", "of robustmix", empty=True, optional=True),
)
"""run.json."""


def check_record(
    record: Mapping[str, Any], entries: tuple[Entry, ...], newest: int, path: Path, remedy: str
) -> None:
    """
    Raises:
        RunError: another format than `newest`, or keys that are not what `entries` say.
    """
    found = record.get("format")
    if found != newest or isinstance(found, bool):
        later = isinstance(found, (int, float)) and found > newest
        what = "use a newer robustmix" if later else remedy
        raise RunError(f"{path}: format {short(str(found))[:20]}, expected {newest}; {what}")
    check_document(record, entries, path, remedy)
