"""Are these the data that a run was made with? Digests and names, compared one by one.

A spec such as ``folder:pics`` or ``mnist`` is a text; what it stands for may have changed since.
Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from robustbench_cli.errors import RunError

Facts = Mapping[str, Any]


def differences(recorded: Facts, found: Facts) -> list[str]:
    """A few words for everything that both know and do not agree on; the plainest first."""
    words: list[str] = []
    other = {key for key in recorded.keys() & found.keys() if recorded[key] != found[key]}
    if "classes" in other:
        words.append(_classes(list(recorded["classes"]), list(found["classes"])))
    if "shape" in other:
        sizes = ("x".join(map(str, facts["shape"])) for facts in (recorded, found))
        words.append("images of {}, now {}".format(*sizes))
    if "train_size" in other:
        words.append(f"{recorded['train_size']} training images, now {found['train_size']}")
    elif "train_digest" in other:
        words.append("other training images")
    if "test_digest" in other:
        words.append("other test images")
    return words


def refuse_others(who: object, spec: str, recorded: Facts, found: Facts, remedy: str) -> None:
    """
    Raises:
        RunError: the data of `spec` are not those that were recorded; names what changed.
    """
    if words := differences(recorded, found):
        raise RunError(
            f"{who} was made with other data than {spec} holds now: {', '.join(words)}; {remedy}"
        )


def refuse_mixed(named: Iterable[tuple[object, str, Facts]]) -> None:
    """Whether runs of one data set saw the same test images: (who, spec, recorded) of each.

    Raises:
        RunError: two did not; names both and what differs.
    """
    first: dict[str, tuple[object, Facts]] = {}
    for who, spec, recorded in named:
        shared = {k: v for k, v in recorded.items() if k in ("classes", "shape", "test_digest")}
        other, known = first.setdefault(spec, (who, shared))
        if words := differences(known, shared):
            raise RunError(
                f"{other} and {who} are both of {spec}, but the second one of other data: "
                f"{', '.join(words)}; report them apart"
            )


def _classes(recorded: list[str], found: list[str]) -> str:
    gone = [name for name in recorded if name not in found]
    new = [name for name in found if name not in recorded]
    if not gone and not new:
        return "the same classes in another order"
    parts = [("without", gone), ("with", new)]
    return "classes " + " and ".join(f"{word} {', '.join(n[:5])}" for word, n in parts if n)
