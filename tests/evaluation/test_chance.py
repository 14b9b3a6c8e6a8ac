"""Numbers of a sample come from its seed and their count, whoever shares the batch."""

from __future__ import annotations

import torch
from pretend_device import DEVICE, pretend_device
from scipy import stats

from robustbench_cli.evaluation.attack import Samples
from robustbench_cli.evaluation.chance import Streams, numbers

SEEDS = torch.tensor([3, 1, 4, 159])


def drawn(streams: Streams, n: int) -> torch.Tensor:
    """Some of each kind, side by side: (n, 23)."""
    device = streams.uniform(torch.empty(n, 2)).device
    found = [
        streams.uniform(torch.empty(n, 2, 3)),
        streams.normal(torch.empty(n, 4)),
        streams.integers(7, (n, 13), device),
    ]
    return torch.cat([each.flatten(1).cpu() for each in found], 1)


def test_a_sample_gets_the_same_in_every_batch() -> None:
    whole = drawn(Streams(SEEDS, 0), 4)
    for i in range(4):
        assert torch.equal(drawn(Streams(SEEDS[i : i + 1], 0), 1), whole[i : i + 1])


def test_who_stays_goes_on_and_who_joins_has_drawn_as_much() -> None:
    one, whole = Streams(SEEDS, 0), Streams(SEEDS, 0)
    drawn(one, 4), drawn(whole, 4)
    assert one.place(10**6) == whole.place(10**6)
    order = torch.tensor([3, 0, 2])
    left, right = one.at(order[:1]), one.at(order[1:])
    again = left.joined([right])
    assert torch.equal(drawn(again, 3), drawn(whole, 4)[order])
    assert again.place(10**6) == whole.place(10**6) and again.coin() == whole.coin()


def test_samples_keep_their_streams_when_they_are_parted_and_joined() -> None:
    samples = Samples(torch.zeros(4, 1, 2, 2), torch.zeros(4), chance=Streams(SEEDS, 0))
    left, right = samples[torch.tensor([2])], samples[torch.tensor([0, 3])]
    found = left.joined(right).chance.uniform(torch.empty(3, 5))
    assert torch.equal(found, samples.chance.uniform(torch.empty(4, 5))[[2, 0, 3]])


def test_another_try_is_a_function_of_its_number() -> None:
    fresh, used = Streams(SEEDS, 0), Streams(SEEDS, 0)
    drawn(used, 4), used.place(5)
    first, second = (drawn(fresh.again(k), 4) for k in (0, 1))
    assert torch.equal(drawn(used.again(1), 4), second)
    assert not (first == second)[:, :10].any()


def test_a_block_ends_where_the_next_begins() -> None:
    """700 numbers, five at a time, are those of one draw."""
    streams = Streams(SEEDS, 0)
    parts = [streams.uniform(torch.empty(4, 5)) for _ in range(140)]
    assert torch.equal(torch.cat(parts, 1), numbers(SEEDS, 0, 700))


def test_a_device_draws_what_the_cpu_draws_and_nobody_waits() -> None:
    with pretend_device() as waits:
        streams = Streams(SEEDS.to(DEVICE), 0)
        before = waits.total()
        found = streams.integers(9, (4, 50), DEVICE)
        streams.place(9)
        assert waits.total() == before
        assert torch.equal(found.cpu(), Streams(SEEDS, 0).integers(9, (4, 50), SEEDS.device))


def test_places_and_signs_are_even() -> None:
    streams = Streams(torch.arange(50), 7)
    counts = streams.integers(6, (50, 600), SEEDS.device).flatten().bincount()
    assert len(counts) == 6 and stats.chisquare(counts.numpy()).pvalue > 1e-3
    tosses = torch.tensor([streams.place(6) for _ in range(3000)]).bincount()
    assert len(tosses) == 6 and stats.chisquare(tosses.numpy()).pvalue > 1e-3
