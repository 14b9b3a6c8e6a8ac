"""What card.json holds: format 1, for other programs to rely on.

A change that breaks it raises the number, and `read_card` refuses another one by name. Keys may be
added without one. Accuracies are shares from 0 to 1, epsilons are in pixels of [0, 1] (L0: changed
values), intervals are Wilson's at 95 % and know of test sampling only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from robustbench_cli.errors import RunError
from robustbench_cli.files import read_json
from robustbench_cli.schema import Entry, check_document

FORMAT = 1
KIND = "robustmix card"

_EPS = (
    Entry("norm", "text", "linf, l2, l1 or l0"),
    Entry("eps", "text", "the epsilon as it was written, 8/255"),
    Entry("eps_value", "number", "the same as a number"),
)
_SHARE = (
    Entry("accuracy", "number", "share of n images that are right"),
    Entry("low", "number", "of its interval", empty=True),
    Entry("high", "number", "of its interval; null where there is none", empty=True),
    Entry("n", "whole number", "images"),
)
CARD = (
    Entry("format", "whole number", "1"),
    Entry("kind", "text", KIND),
    Entry("made", "text", "when the newest of its results was written, ISO 8601, UTC"),
    Entry(
        "network",
        "object",
        "who was examined",
        (
            Entry("name", "text", "of its run directory"),
            Entry("data", "text", "spec of its data set"),
            Entry("model", "text", "spec of its network"),
            Entry("method", "text", "what it was trained with; plain where nobody knows"),
            Entry("weights", "text", "16 digits of the SHA-256 of the weights"),
            Entry("checkpoint", "text", "name of somebody else's file", empty=True),
            Entry("checkpoint_digest", "text", "16 digits of its SHA-256", empty=True),
            Entry("published", "text", "what RobustBench says of it", empty=True),
            Entry("normalise", "text", "how its images are normalised", empty=True),
            Entry("classes", "list of texts", "names, in the order of the labels"),
            Entry("test_images", "text", "digest of all test images", empty=True),
        ),
    ),
    Entry(
        "threats",
        "list of objects",
        "what an attacker may do",
        (*_EPS, Entry("why", "text", "whose epsilon it is")),
    ),
    Entry(
        "protocol",
        "object",
        "how hard was looked",
        (
            Entry("strength", "text", "quick, light, medium or full"),
            Entry("checks", "text", "quick or full"),
            Entry("images", "whole number", "test images looked at, the first"),
            Entry("of", "whole number", "test images that there are"),
            Entry("seed", "whole number", "of all random numbers"),
            Entry("minutes", "number", "the budget", empty=True),
            Entry("expected_seconds", "number", "estimated before"),
            Entry("spent_seconds", "number", "what its results took, on their machine"),
            Entry("full_seconds", "number", "estimated for full strength on all images"),
            Entry("source", "text", "the other network of transfers", empty=True),
            Entry("weaker", "list of texts", "what is less than at full strength"),
            Entry("left_out", "list of texts", "what is missing, and why"),
        ),
    ),
    Entry(
        "certainty",
        "object",
        "what the number of images leaves open",
        (
            Entry("half_width", "number", "of the widest interval of this card"),
            Entry("of_all", "number", "the same, had all test images been looked at"),
        ),
    ),
    Entry(
        "numbers",
        "list of objects",
        "a result each",
        (
            Entry("what", "text", "clean, noise, one step, PGD, transfer, worst case, corruptions"),
            *(
                Entry(e.name, e.kind, f"{e.about}; null where there is none", empty=True)
                for e in _EPS
            ),
            Entry("attack", "text", "spec of the attack or analysis", empty=True),
            *_SHARE,
            Entry("forwards", "number", "passes per image", empty=True),
            Entry("backwards", "number", "passes per image", empty=True),
            Entry("seconds", "number", "with its checks, on that machine", empty=True),
            Entry("record", "text", "its record, below the run or source directory", empty=True),
        ),
    ),
    Entry(
        "robust",
        "list of objects",
        "for each threat: images that withstand everything that was tried in its norm",
        (
            *_EPS,
            *_SHARE,
            Entry(
                "broken_by",
                "object of numbers",
                "images wrong under each result",
                empty=True,
            ),
        ),
    ),
    Entry(
        "corruptions",
        "list of objects",
        "accuracy under each",
        (
            Entry("corruption", "text", "its name"),
            Entry("kind", "text", "noise, blur, weather or digital"),
            Entry("severity", "whole number", "1 to 5"),
            Entry("accuracy", "number", "share of n images that are right"),
            Entry("n", "whole number", "images"),
        ),
    ),
    Entry("verdict", "text", "of the checks, in one line"),
    Entry(
        "checks",
        "list of objects",
        "findings, also those that passed",
        (
            Entry("check", "text", "name; robustmix --list checks"),
            Entry("level", "text", "failure, warning or pass"),
            Entry("text", "text", "what was seen"),
            Entry("remedy", "text", "what to do about it", empty=True),
            Entry("attacks", "list of texts", "whose results it is about"),
        ),
    ),
    Entry("command", "text", "what was typed; empty if nothing was"),
    Entry("versions", "object", "of robustmix and what it stands on"),
    Entry("device", "text", "where it ran"),
)


def read_card(path: str | Path) -> dict[str, Any]:
    """A card.json.

    Raises:
        RunError: absent, of another format, or not what `CARD` says; in one line.
    """
    path = Path(path)
    document = read_json(path)
    if document.get("kind") != KIND:
        raise RunError(f"{path} is no card: expected the kind {KIND!r}; make one: robustmix card")
    if document.get("format") != FORMAT:
        raise RunError(
            f"{path} has format {document.get('format')}, expected {FORMAT}; "
            "read it with the robustmix that wrote it, or make it again: robustmix card"
        )
    check_document(document, CARD, path, "make it again: robustmix card")
    return document


def described(
    entries: tuple[Entry, ...] = CARD, before: str = ""
) -> Iterator[tuple[str, str, str]]:
    """(key, what it holds, what it means) of every key, ``protocol.minutes``."""
    for entry in entries:
        listed = entry.kind == "list of objects"
        yield f"{before}{entry.name}", entry.kind + " or null" * entry.empty, entry.about
        yield from described(entry.within, f"{before}{entry.name}{'[]' * listed}.")
