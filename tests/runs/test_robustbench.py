"""RobustBench's list: what is found in it, and what a user is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.runs.robustbench import CLASSES, entries, find_entry, find_weights, listing


def test_a_name_means_cifar10_and_linf_first_and_places_choose() -> None:
    first, second, third = (
        find_entry(f"robustbench:{place}Wang2023Better_WRN-28-10")
        for place in ("", "L2/", "cifar100/")
    )
    assert (third.data, third.threat, third.clean, third.best_known) == (
        "cifar100",
        "linf",
        "72.58",
        "38.77",
    )
    assert (first.threat, first.eps, first.clean, first.robust) == (
        "linf",
        "8/255",
        "92.44",
        "67.31",
    )
    assert (second.threat, second.eps) == ("l2", "0.5")
    assert first.model == "dm-wide-resnet:depth=28,width=10"
    assert len({each.source for each in (first, second, third)}) == 3
    assert find_entry(str(third)) is third
    assert find_entry("robustbench:linf/Jia2022LAS-AT_34_20").data == "cifar100"


def test_every_published_number_is_a_percentage_and_every_name_is_there_once() -> None:
    for entry in entries():
        numbers = [entry.clean, entry.robust, *filter(None, [entry.best_known])]
        assert all(0 <= float(number) <= 100 for number in numbers), entry
        assert entry.source or not entry.model, entry
        assert bool(entry.model) != bool(entry.reason), entry
        assert bool(entry.eps) == (entry.threat != "corruptions"), entry
        assert bool(entry.images) == (entry.data == "imagenet"), entry
    assert {entry.data for entry in entries()} == {*CLASSES}
    assert len({str(entry) for entry in entries()}) == len(entries())


def test_what_was_published_is_one_line() -> None:
    assert find_entry("robustbench:Engstrom2019Robustness").published() == (
        "robustbench:cifar10/linf/Engstrom2019Robustness: published: clean 87.03 %, under "
        "AutoAttack 49.25 % at linf 8/255, on all test images."
    )
    assert "on corruptions 73.46 % in the mean" in find_entry("corruptions/Standard").published()
    assert "on 5,000 validation images" in find_entry("imagenet/Standard_R50").published()


def test_the_list_says_how_many_are_built_and_why_others_are_not() -> None:
    *lines, last = listing().splitlines()
    assert len(lines) == len(entries())
    built = [line for line in lines if "not built: " not in line]
    assert last.startswith(f"{len(built)} of these {len(lines)} networks are built here")
    assert any(
        line.endswith("not built: two networks mixed by a third")
        and line.startswith("robustbench:cifar100/linf/Bai2023Improving_edm ")
        for line in lines
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Wang2023Beter_WRN-28-10", "did you mean robustbench:Wang2023Better_WRN-28-10"),
        (
            "Wang2023",
            "did you mean robustbench:Wang2023Better_WRN-28-10 or "
            r"robustbench:Wang2023Better_WRN-70-16\?",
        ),
        ("L2/rade", r"for L2; did you mean robustbench:l2/Rade2021Helper_R18_ddpm\?"),
        ("l2/Sehwag2021Proxi", "did you mean robustbench:l2/Sehwag2021Proxy"),
        ("", "there are [0-9]+ "),
        (
            "l1/Standard",
            "no data set or threat model 'l1'; expected cifar10",
        ),
        ("cifar-100/Standard", "no data set or threat model 'cifar-100'; did you mean cifar100"),
        ("svhn/Standard", "expected cifar10, cifar100, imagenet, linf, l2, corruptions"),
        (
            "l2/Wong2020Fast",
            "has no 'Wong2020Fast' for l2; did you mean robustbench:cifar10/linf/Wong2020Fast",
        ),
        ("imagenet/l2/Wong2020Fast", "no networks for imagenet in l2"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_entry(f"robustbench:{name}")


def test_a_file_that_is_not_there_is_told_where_from_and_where_to(tmp_path: Path) -> None:
    entry = find_entry("robustbench:Engstrom2019Robustness")
    expected = tmp_path / "robustbench" / "cifar10" / "Linf" / "Engstrom2019Robustness.pt"
    with pytest.raises(UsageError) as e:
        find_weights(entry, tmp_path)
    assert str(expected) in str(e.value)
    assert f"https://drive.google.com/uc?id={entry.source}" in str(e.value)
    expected.parent.mkdir(parents=True)
    expected.touch()
    assert find_weights(entry, tmp_path) == expected


def test_a_network_that_is_not_built_here_is_said_with_its_numbers(tmp_path: Path) -> None:
    said = r"not built here: squeeze-and-excitation.*clean 93.27 %.*AutoAttack 71.07 %"
    with pytest.raises(UsageError, match=said):
        find_weights(find_entry("robustbench:Peng2023Robust"), tmp_path)


def test_pictures_of_imagenet_are_asked_for_in_the_size_of_the_network() -> None:
    said = "Wong2020Fast sees pictures of imagenet.* --data folder:PATH,size=288,fit=crop"
    with pytest.raises(UsageError, match=said):
        find_entry("robustbench:imagenet/Wong2020Fast").data_set()
