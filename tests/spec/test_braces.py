"""``vib:beta={1e-4,1e-3}``: what braces stand for, held against a shell's."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.spec import build, expand, expand_all, family
from robustbench_cli.training.method import Method

GRIDS = {
    "vib:beta=1e-3": ["vib:beta=1e-3"],
    "vib:beta={1e-4,1e-3,1e-2}": ["vib:beta=1e-4", "vib:beta=1e-3", "vib:beta=1e-2"],
    "a:x={1,2},y={3,4}": ["a:x=1,y=3", "a:x=1,y=4", "a:x=2,y=3", "a:x=2,y=4"],
    "{plain,mixup:alpha={1,2}}+sat": ["plain+sat", "mixup:alpha=1+sat", "mixup:alpha=2+sat"],
    "sat:eps={4/255,8/255},steps=7": ["sat:eps=4/255,steps=7", "sat:eps=8/255,steps=7"],
}


@pytest.mark.parametrize(("text", "specs"), GRIDS.items(), ids=list(GRIDS))
def test_braces_expand_like_loops_in_the_order_of_the_text(text: str, specs: list[str]) -> None:
    assert expand(text) == specs


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash to compare with")
def test_a_shell_without_quotes_makes_the_same_words() -> None:
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(GRIDS)}"], capture_output=True, text=True
    )
    assert done.stdout.split() == expand_all(GRIDS)


def test_one_value_is_a_grid_of_one_and_none_stands_twice() -> None:
    assert expand("vib:beta={1e-3}") == ["vib:beta=1e-3"]
    assert expand("vib:beta={1e-3,1e-3}") == ["vib:beta=1e-3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vib:beta={1,2", "a { is not closed"),
        ("vib:beta={1,{2,3}", "a { is not closed"),
        ("vib:beta=1,2}", "a } closes no {"),
        ("vib:beta={}", "an alternative in the braces is empty"),
        ("vib:beta={1,}", "an alternative in the braces is empty"),
        ("vib:beta={1, }", "an alternative in the braces is empty"),
        ("mlp:width={1..3}", "1..3 is no value; write all of them, like {1,2,3}"),
        ("{1,2}" * 10, "stands for more than 1000 specs"),
        ("{" + ",".join(map(str, range(1001))) + "}", "stands for more than 1000 specs"),
        ("{" * 100_000, "more than 9 deep"),
    ],
    ids=lambda text: text[:30],
)
def test_a_slip_gets_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        expand(text)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_where_one_spec_is_expected_a_grid_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is a grid, and one spec is expected here, such as vib:"):
        build(Method, "vib:beta={1e-4,1e-3}")


def test_a_family_is_what_the_names_are_without_parameters() -> None:
    assert family("vib:beta=1e-3+mixup:alpha=0.4") == "vib+mixup"
    assert family("my_lab.nets:MyNet:width=3") == "my_lab.nets:MyNet"
