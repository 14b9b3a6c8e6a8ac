"""What the README and examples/ show must work as it stands there."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from robustbench_cli import __version__
from robustbench_cli.cli.app import app
from robustbench_cli.cli.explain import explanation
from robustbench_cli.errors import UsageError
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.reporting.numbers.named import named
from robustbench_cli.spec import build, names

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
RECIPES = sorted(EXAMPLES.glob("*/*.toml"))
DOCUMENTS = {"thesis", "batchout-diary", "course-report", "large-margin"}
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "script", [pytest.param("notebook.py", marks=pytest.mark.slow), "own_method.py"]
)
def test_scripts_run(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROBUSTMIX_RUNS", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    plt.close("all")
    assert list(tmp_path.glob("runs/*/attacks/*.json")), "it attacked nothing"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_experiments_are_read(file: Path, tmp_path: Path) -> None:
    experiment = read_experiment(file, Where(runs=tmp_path))
    assert experiment.train and experiment.attack


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recipes_are_read_at_both_scales(file: Path, tmp_path: Path) -> None:
    published, laptop = (
        read_experiment(file, Where(runs=tmp_path), scale=scale) for scale in (None, "laptop")
    )
    for experiment in (published, laptop):
        assert experiment.train and (experiment.attack or experiment.analyse)
    assert laptop != published
    assert published.report.folder == Path("results") / file.parent.name / file.stem
    assert laptop.report.folder == published.report.folder.with_name(f"{file.stem}-laptop")


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recipes_say_what_they_reproduce_and_what_was_cut(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    about = text.partition("\n[train]")[0]
    assert f"# robustmix run examples/{file.parent.name}/{file.name}" in about
    assert "\n# Cut" in text, "what --scale laptop leaves out"
    for statement in statements(file):
        assert statement.get("source"), statement


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_claimed_is_about_what_is_trained(file: Path, tmp_path: Path) -> None:
    """At the laptop scale a published number may be missing, a claim not."""
    for scale in (None, "laptop"):
        experiment = read_experiment(file, Where(runs=tmp_path), scale=scale)
        claims, published = experiment.statements.claims, experiment.statements.published
        sides = [(c.by, (c.method,) if c.method else (c.first, c.second)) for c in claims]
        about = {(by, name) for by, both in sides for name in both}
        about |= {(each.by, each.method) for each in published} if scale is None else set()
        for by, name in about:
            specs = {getattr(job.config, by): getattr(job.config, by) for job in experiment.train}
            assert named(name.partition(", ")[0], specs, f"{by}s"), name


def test_every_document_has_recipes_and_each_is_read_or_listed_as_not_run() -> None:
    assert {file.parent.name for file in RECIPES} == DOCUMENTS
    read, _, not_run = (
        (EXAMPLES / "results/README.md").read_text(encoding="utf-8").partition("**Not run**")
    )
    for file in RECIPES:
        name = f"{file.parent.name}/{file.stem}"
        made = (EXAMPLES / "results" / name).is_dir()
        assert (f"`{name}`" in read, f"`{name}`" in not_run) == (made, not made), name


def test_no_published_number_is_typed_twice() -> None:
    seen: dict[tuple[str, ...], Path] = {}
    for file in RECIPES:
        data = tomllib.loads(file.read_text(encoding="utf-8"))["train"]["data"]
        for each in statements(file):
            if "value" in each:
                about = [
                    str(each.get(key))
                    for key in ("method", "attack", "eps", "measure", "analysis", "number")
                ]
                key = (file.parent.name, data, *about)
                assert key not in seen, f"{about} is in {file} and in {seen[key]}"
                seen[key] = file
    assert len(seen) > 100, "not counting the lists in them"


def statements(file: Path) -> list[dict[str, object]]:
    """The [[published]] and [[claim]] sections of a recipe, of all of its scales."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    places = [document, *document.get("scale", {}).values()]
    return [
        each for place in places for name in ("published", "claim") for each in place.get(name, [])
    ]


def test_a_method_of_ones_own_is_short() -> None:
    source = (EXAMPLES / "own_method.py").read_text(encoding="utf-8")
    body = source.partition('"""\n\n')[2].partition("if __name__")[0]
    assert len([line for line in body.splitlines() if line.strip()]) < 20


def commands() -> list[list[str]]:
    """Every robustmix command in a fenced block of the README."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    found = [re.search(r"\brobustmix [^|#]*", line.partition(" # ")[0]) for line in lines]
    return [shlex.split(m.group()) for m in found if m]


def test_the_readme_types_options_that_exist() -> None:
    import typer

    group = typer.main.get_command(app)
    known = {name: cmd for name, cmd in group.commands.items()}  # type: ignore[attr-defined]
    seen = set()
    for _, *arguments in commands():
        command = known.get(arguments[0], group)
        seen.add(arguments[0])
        options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
        for word in arguments:
            if word.startswith("-") and not word.removeprefix("-").isdigit():
                assert word in options, (arguments[0], word)
    assert known.keys() <= seen, f"the README never types {known.keys() - seen}"


def test_blocks_are_closed_and_their_code_can_be_read() -> None:
    """An open block swallows the heading after it."""
    fences = re.findall(r"^```(\w*)$", README, re.MULTILINE)
    assert all(fences[::2]) and not any(fences[1::2])
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        if language == "python":
            compile(code, "README.md", "exec")
        elif language == "toml":
            tomllib.loads(code)


def test_the_readme_shows_what_there_is() -> None:
    for _, target in re.findall(r"(!?\[[^]]*\])\(([^):]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_documented_versions_are_those_of_the_package() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in README
    assert f"version = {{{__version__}}}" in README, "what is to be cited"
    assert sys.version_info >= tuple(map(int, project["requires-python"][2:].split(".")))


def test_an_own_method_is_explained_as_ours_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    text = explanation("examples.own_method:Blur:shift=2+mixup")
    assert text.startswith("examples.own_method:Blur (method)\n")
    assert "  shift  1   [int]" in text
    assert "Written as: examples.own_method:Blur:shift=2\n" in text
    assert "\nmixup (method)\n" in text
    with pytest.raises(UsageError, match="has no parameter 'shft'; did you mean 'shift'"):
        explanation("examples.own_method:Blur:shft=2")
    with pytest.raises(UsageError, match="is no method, attack, model or data set"):
        explanation("json.tool:main")
    with pytest.raises(UsageError, match=r"examples\.own_method has no 'Blurr'"):
        explanation("examples.own_method:Blurr")


def test_the_readme_names_every_figure_of_stored_accuracies() -> None:
    section = README.partition("## Which picture")[2].partition("\n## ")[0]
    shown = [row.split("|")[2] for row in section.splitlines() if row.startswith("| ")][1:]
    specs = [spec for row in shown for spec in re.findall(r"`([^` ]+)`", row)]
    specs = [spec for spec in specs if spec.partition(":")[0] in names("figures")]
    built = {build(Figure, spec).name for spec in specs}
    assert built == set(names("figures")) - set(names("analyses"))
