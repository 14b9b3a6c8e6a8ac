"""What attacks share is written once, and still stands in the explanation of each."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

import robustbench_cli
from robustbench_cli.cli.explain import explanation
from robustbench_cli.evaluation.algorithms.fmn import FastMinimumNorm
from robustbench_cli.spec import ROOMS, names

ROOT = Path(robustbench_cli.__file__).parent
ALGORITHMS = ROOT / "evaluation" / "algorithms"
NORM = re.compile(r"(l0|l1|l2|linf)-")


def file_of(room: str, name: str) -> Path:
    return ROOT.joinpath(*ROOMS[room].split("."), f"{name.replace('-', '_')}.py")


@cache
def text_of(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def behind(path: Path, these: Collection[str] = ()) -> Iterator[Path]:
    """The algorithms that the classes of a file (of these names) derive from, as its text says."""
    tree = ast.parse(path.read_text("utf-8"))
    classes = [
        c for c in tree.body if isinstance(c, ast.ClassDef) and (not these or c.name in these)
    ]
    bases = {ast.unparse(b) for c in classes for b in c.bases}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (
            derived := bases & {alias.name for alias in node.names}
        ):
            found = ALGORITHMS / f"{(node.module or '').rpartition('.')[2]}.py"
            if found.exists():
                yield found
                yield from behind(found, derived)


TWINS = defaultdict(list)
for attack in names("attacks"):
    if NORM.match(attack):
        TWINS[NORM.sub("", attack)].append(attack)
TWINS = {kind: twins for kind, twins in TWINS.items() if len(twins) > 1}


@pytest.mark.parametrize("name", names("attacks"))
def test_an_attack_is_explained_by_its_own_text_and_its_algorithms(name: str) -> None:
    path, shown = file_of("attacks", name), explanation(name)
    for text in {text_of(path), *map(text_of, behind(path))}:
        assert text and shown.count(text) == 1


@pytest.mark.parametrize("kind", TWINS)
def test_attacks_that_differ_by_norm_share_a_source_and_a_cost(kind: str) -> None:
    """Whatever the norm, the explanation says where it comes from and what it takes."""
    common = set.intersection(*(set(behind(file_of("attacks", name))) for name in TWINS[kind]))
    assert common, f"{TWINS[kind]}: put what they share into {ALGORITHMS.name}/"
    assert any("Cost" in text_of(path) for path in common)
    assert all("arXiv:" in explanation(name) for name in TWINS[kind])


def test_an_attack_of_ones_own_is_explained_by_its_algorithm_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lab_of_walks").mkdir()
    (tmp_path / "lab_of_walks" / "walks.py").write_text(
        f"from {FastMinimumNorm.__module__} import FastMinimumNorm\n"
        'class Mine(FastMinimumNorm):\n    """Mine, in L2."""\n    norm = "l2"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    shown = explanation("lab_of_walks.walks:Mine")
    assert shown.startswith("lab_of_walks.walks:Mine (attack)\n\nMine, in L2.\n\n")
    assert shown.count(text_of(ALGORITHMS / "fmn.py")) == 1


def sentences(text: str) -> set[str]:
    """Of more than eight words; a work may be cited twice, so titles and numbers are left out."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", inspect.cleandoc(text)))
    found = {s for part in paragraphs for s in re.split(r"(?<=[.;:?])\s+", part)}
    return {s for s in found if len(s.split()) > 8 and not re.search(r'"[A-Z]|arXiv', s)}


@pytest.mark.parametrize("room", ROOMS)
def test_no_two_files_of_a_folder_say_the_same_sentence(room: str) -> None:
    said: dict[str, str] = {}
    for name in names(room):
        for sentence in sentences(text_of(file_of(room, name))):
            assert sentence not in said, f"{said[sentence]} and {name}: {sentence}"
            said[sentence] = name


def test_a_repeated_sentence_is_found() -> None:
    once = "Steps are taken along the largest\nvalues of the gradient, then projected. Short."
    cited = 'First & Second 2020, "A Title of Many Words That Goes On and On", arXiv:2001.00001.'
    expected = "Steps are taken along the largest values of the gradient, then projected."
    assert sentences(f"{once}\n\n{cited}") == {expected}
