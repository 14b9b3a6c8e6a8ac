"""Who may join whom on a GPU: by what was measured, and by what the driver says is free."""

from __future__ import annotations

import pytest
import torch

from robustbench_cli.grid.gpu_memory import MARGIN, Cuda, Ledger, Tenant, measuring

GIB = 2**30


def known(ledger: Ledger, kind: str, need: float) -> Tenant:
    """One of a kind that took `need` GiB, holds them, and is still there."""
    tenant = Tenant(kind, measured=True)
    assert ledger.saw(tenant, int(need * GIB), int(need * GIB), whole=True)
    return tenant


def test_whoever_finds_a_gpu_empty_may_use_it_whatever_is_free() -> None:
    ledger = Ledger()
    assert ledger.fits("new", 0, [])
    known(ledger, "large", 100)
    assert ledger.fits("large", 0, [])


def test_while_one_is_measured_nobody_joins() -> None:
    ledger = Ledger()
    first = Tenant("a", measured=True)
    assert not ledger.saw(first, GIB, GIB, whole=False)
    assert measuring([first]) and not ledger.fits("b", 100 * GIB, [first])
    assert ledger.saw(first, GIB, 2 * GIB, whole=True), "that is said once"
    assert not ledger.saw(first, GIB, 2 * GIB, whole=True)
    assert not measuring([first]) and ledger.need("a") == 2 * GIB


def test_the_next_of_a_kind_needs_what_the_first_took_and_a_margin() -> None:
    ledger = Ledger()
    first = known(ledger, "a", 3)
    assert ledger.fits("a", 3 * GIB + MARGIN, [first])
    assert not ledger.fits("a", 3 * GIB + MARGIN - 1, [first])


def test_what_others_have_not_taken_yet_is_not_free() -> None:
    ledger = Ledger()
    first, second = known(ledger, "a", 3), Tenant("a", held=GIB)
    assert ledger.promised([first, second]) == 2 * GIB
    assert ledger.fits("a", 5 * GIB + MARGIN, [first, second])
    assert not ledger.fits("a", 5 * GIB + MARGIN - 1, [first, second])


def test_a_need_grows_with_what_is_seen_later() -> None:
    ledger = Ledger()
    first = known(ledger, "a", 3)
    ledger.saw(first, GIB, 4 * GIB, whole=True)
    assert ledger.need("a") == 4 * GIB and ledger.promised([first]) == 3 * GIB


def test_an_unknown_kind_wants_the_room_of_the_largest_that_is_known() -> None:
    ledger = Ledger()
    small, large = known(ledger, "small", 1), known(ledger, "large", 3)
    assert not ledger.fits("new", 3 * GIB, [small, large])
    assert ledger.fits("new", 3 * GIB + MARGIN, [small, large])
    assert ledger.fits("small", 2 * GIB, [small, large]), "a smaller one may pass it"


def test_an_unknown_kind_waits_until_others_hold_what_they_need() -> None:
    ledger = Ledger()
    first, grows = known(ledger, "a", 1), Tenant("a")
    assert not ledger.fits("new", 100 * GIB, [first, grows])
    ledger.saw(grows, GIB, GIB, whole=True)
    assert ledger.fits("new", 100 * GIB, [first, grows])


def test_who_ran_out_of_memory_beside_others_is_measured_alone() -> None:
    ledger = Ledger()
    other, crowded = known(ledger, "a", 1), Tenant("b", measured=True)
    ledger.saw(crowded, GIB, GIB, whole=False)
    ledger.ran_out(crowded)
    assert ledger.need("b") is None and not ledger.fits("b", 100 * GIB, [other])
    again = Tenant("b", measured=True)
    assert ledger.fits("b", 0, []) and ledger.saw(again, 5 * GIB, 5 * GIB, whole=True)
    assert ledger.fits("b", 6 * GIB, [again]) and not ledger.fits("b", 5 * GIB, [again])


def test_one_that_still_runs_does_not_vouch_for_its_kind_again() -> None:
    ledger = Ledger()
    first, crowded = known(ledger, "a", 1), Tenant("a")
    ledger.ran_out(crowded)
    ledger.saw(first, GIB, GIB, whole=True)
    assert ledger.need("a") is None


def test_what_ends_before_it_was_measured_leaves_no_need() -> None:
    ledger = Ledger()
    failed = Tenant("a", measured=True)
    ledger.saw(failed, GIB, GIB, whole=False)
    assert ledger.need("a") is None and ledger.fits("a", 0, [])


@pytest.mark.skipif(torch.cuda.is_initialized(), reason="CUDA is in use here")
def test_only_the_question_what_is_free_starts_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> None:
        raise AssertionError("CUDA was started")

    monkeypatch.setattr(torch.cuda, "_lazy_init", start)
    Cuda().rest()
    assert Cuda().taken() == (0, 0)
