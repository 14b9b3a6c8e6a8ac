from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import make_run, make_transfer, save_transfer

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.reporting.numbers.transfers import average, collect_transfers
from robustbench_cli.reporting.report import transfer_table
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run

TEN = [0.0, 0.05, 0.05, 0.15, 0.15, 0.15, 0.15, 0.15, 0.9, 0.9]


def wrong_at_the_source(evaluation: Evaluation, *indices: int) -> Evaluation:
    """The same transfer, had the source misclassified these images when unchanged."""
    samples = evaluation.samples
    samples.loc[samples["index"].isin(indices), "source_clean"] = 99
    return evaluation


def all_pairs(runs: list[Run]) -> list[Run]:
    """The white box is far stronger than a transfer."""
    for source in runs:
        for target in runs:
            distances = [d if source is target else 3 * d for d in TEN]
            save_transfer(source, make_transfer(distances, source, target))
    return runs


def test_two_accuracies(tmp_path: Path) -> None:
    plain, mixup = make_run(tmp_path), make_run(tmp_path, "mixup")
    # image 0 the target gets wrong anyway; 1 falls; 9, which stands, the source gets wrong
    save_transfer(plain, wrong_at_the_source(make_transfer(TEN, plain, mixup), 9))
    first = collect_transfers([plain]).iloc[0]
    assert (first["source_label"], first["target_label"]) == ("plain", "mixup")
    assert (first["eps"], first["accuracy"], first["n"]) == ("0.1", 0.7, 10)
    assert (first["accuracy_both"], first["n_both"]) == (6 / 8, 8)


def test_seeds_are_averaged_and_the_white_box_kept_apart(tmp_path: Path) -> None:
    runs = all_pairs([make_run(tmp_path, m, s) for m in ("plain", "mixup") for s in (0, 1)])
    cells = {
        (c.source, c.target, c.white_box): c for c in average(collect_transfers(runs)) if c.eps
    }
    assert cells["plain", "plain", True].pairs == 2
    assert cells["plain", "plain", False].pairs == 2  # from seed 0 to 1 and back
    assert cells["plain", "mixup", False].pairs == 4
    assert cells["plain", "mixup", False].n == 40
    assert cells["plain", "plain", True].accuracy < cells["plain", "plain", False].accuracy


def test_every_attack_has_the_pairs_in_one_order(tmp_path: Path) -> None:
    plain, mixup, vib = (make_run(tmp_path, method) for method in ("plain", "mixup", "vib"))
    for attack, targets in (("linf-bim", (mixup, vib)), ("linf-fgsm", (vib, plain, mixup))):
        for target in targets:
            found = make_transfer(TEN, plain, target)
            record = found.record | {"identity": found.record["identity"] | {"attack": attack}}
            save_transfer(plain, replace(found, attack=attack, record=record))
    cells = average(collect_transfers([plain]))
    order = {c.attack: [d.target for d in cells if d.attack == c.attack] for c in cells}
    fgsm = order["linf-fgsm"]
    assert order["linf-bim"] == [name for name in fgsm if name != "plain"]


def test_only_a_single_pair_has_an_interval(tmp_path: Path) -> None:
    runs = all_pairs([make_run(tmp_path, "plain", seed) for seed in (0, 1)])
    (between, white) = average(collect_transfers(runs), [])[:2][::-1]
    assert (between.low, white.low, between.both_low) == (None, None, None)
    (alone,) = average(collect_transfers(runs[:1], targets=runs[:1]))
    assert alone.low is not None and alone.both_low is not None
    assert alone.low < alone.accuracy and alone.both_low < alone.accuracy_both


def test_the_screen(tmp_path: Path) -> None:
    runs = all_pairs([make_run(tmp_path, method) for method in ("plain", "mixup")])
    assert str(transfer_table(runs, epsilons="0.2")) == SCREEN


SCREEN = """\
Accuracy in % of the target on adversarials crafted on the source.

linf-pgd, L∞, ε=0.2: accuracy on images both classify correctly
source \\ target  plain  mixup
plain            22.2*   77.8
mixup             77.8  22.2*

linf-pgd, L∞, ε=0.2: accuracy on all images
source \\ target  plain  mixup
plain            20.0*   70.0
mixup             70.0  20.0*

Rows: crafted on; columns: shown to.
*: white box, the source is the target."""


def test_a_wide_matrix_numbers_its_columns(tmp_path: Path) -> None:
    methods = [f"mixup:alpha={i}+pgd-at:eps=8/255" for i in range(1, 5)]
    shown = str(transfer_table(all_pairs([make_run(tmp_path, method) for method in methods])))
    assert max(map(len, shown.splitlines())) <= 100
    assert "Columns 1: mixup:alpha=1+pgd-at:eps=8/255; 2: " in shown


def test_targets_narrow_and_json_says_it_all(tmp_path: Path) -> None:
    runs = all_pairs([make_run(tmp_path, method) for method in ("plain", "mixup")])
    shown = transfer_table(runs[:1], targets=runs[1:], epsilons="0.2")
    (entry,) = json.loads(shown.render("json"))["transfers"]
    assert (entry["source"], entry["target"], entry["white_box"]) == ("plain", "mixup", False)
    assert (entry["eps"], entry["accuracy"], entry["pairs"]) == ("0.2", 0.7, 1)


def test_targets_are_known_without_being_named(tmp_path: Path) -> None:
    runs = all_pairs([make_run(tmp_path, method) for method in ("plain", "mixup")])
    labels = collect_transfers(runs[:1])["target_label"]
    assert set(labels) == {"plain", "mixup"}


def test_no_image_in_common_is_no_number(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    save_transfer(run, make_transfer([0.0, 0.0], run, run))
    shown = transfer_table(run)
    assert "–" in str(shown)
    assert json.loads(shown.render("json"))["transfers"][0]["accuracy_both"] is None


def test_what_is_not_there(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(RunError, match="no transfers in these runs; type: robustmix transfer"):
        transfer_table(run)
    all_pairs([run])
    with pytest.raises(
        UsageError, match=r"nothing was transferred at eps 0.3; there are: 0.1, 0.2"
    ):
        transfer_table(run, epsilons="0.3")
