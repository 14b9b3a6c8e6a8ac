"""RobustBench's list with a single entry, whose every number is known: see `two_tones`."""

from __future__ import annotations

import pytest
from two_tones import MODEL, SPEC

from robustbench_cli.runs import robustbench
from robustbench_cli.spec import allow_code

ENTRY = robustbench.Entry(
    data="cifar10",
    threat="linf",
    name="Tones2020",
    architecture="linear",
    model=MODEL,
    normalise="none",
    weights_key="",
    eps="0.1",
    clean="99.00",
    robust="66.60",
    best_known="",
    images="",
    source="KEY",
    reason="",
)


def a_list_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_code("two_tones")
    monkeypatch.setattr(robustbench, "entries", lambda: (ENTRY,))
    monkeypatch.setattr(robustbench, "CLASSES", {"cifar10": 2})
    monkeypatch.setattr(robustbench.Entry, "data_set", lambda _: SPEC)
