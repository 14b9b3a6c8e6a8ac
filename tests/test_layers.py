"""Who may import whom: arrows go one way, and heavy packages stay in their rooms."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import robustbench_cli
from robustbench_cli.spec import ROOMS, names

PACKAGE = "robustbench_cli"
ROOT = Path(robustbench_cli.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LAYERS = [  # the upper one may import the lower ones, never the other way round
    {"cli"},
    {"experiment", "api", "objects", "origins", "adopt", "referee"},
    {"grid"},
    {"jobs"},
    {"analysis", "tracking"},
    {"training", "evaluation", "reporting"},
    {"trust", "models"},
    {"runs", "data"},
    {
        *("device", "epsilon", "files", "locks", "progress", "schema", "statistics", "worker"),
    },
    {"spec"},
    {"errors"},
]
HEIGHT = {room: -i for i, layer in enumerate(LAYERS) for room in layer}
APART = [  # neighbours that must not know each other
    ("training", "evaluation"),
    ("reporting", "training"),
    ("reporting", "evaluation"),
    ("reporting", "analysis"),  # pictures are drawn from what is stored
    ("reporting", "models"),
    ("reporting", "data"),
    ("analysis", "tracking"),
    ("trust", "models"),
    ("trust", "data"),
]
HOMES = {  # where a package may be imported
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli",),
    "foolbox": ("evaluation",),
    "eagerpy": ("evaluation",),
    "matplotlib": ("reporting",),
    "ray": ("grid/cluster.py",),
    "submitit": ("grid/job_array.py",),
    "torchvision": ("data", "models"),
    "sklearn": ("data",),
    **dict.fromkeys(("trackio", "wandb", "tensorboard", "mlflow"), ("tracking",)),
    "timm": ("models/architectures/timm.py",),
    "huggingface_hub": ("runs/hub.py",),
}
TORCHLESS = (
    "reporting",
    "trust",
    "runs",
    "statistics",
    "spec",
    "epsilon.py",
    "files.py",
    "schema.py",
)
"""What reads results and makes numbers of them, on a machine without torch."""


def dotted(path: Path) -> str:
    parts = [PACKAGE, *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts).removesuffix(".__init__")


@cache
def imports(path: Path, *, typing_only: bool = True) -> frozenset[str]:
    """Every module that a file imports, as an absolute name; also inside functions."""
    package = dotted(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node, checked in statements(path):
        if checked and not typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            found.add(module)
            if module.startswith(PACKAGE):  # `from . import runs` names a module
                found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@cache
def statements(path: Path) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """The imports of a file, and whether each is for the type checker only."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    skipped = {
        child
        for node in nodes
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for part in node.body
        for child in ast.walk(part)
    }
    return [(n, n in skipped) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]


def room(module: str) -> str:
    """The part of the package that a module belongs to; empty for the package itself."""
    return module.removeprefix(PACKAGE).lstrip(".").partition(".")[0]


def own(path: Path, **options: bool) -> set[str]:
    """The parts of this package that a file imports."""
    modules = {m for m in imports(path, **options) if m.split(".")[0] == PACKAGE}
    return {room(m) for m in modules} & set(HEIGHT)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_go_one_way(path: Path) -> None:
    here = room(dotted(path))
    if here in ("", "__main__"):  # the public names, loaded when they are used
        return
    assert here in HEIGHT, f"{path.name} has no place in the layers: add it to LAYERS"
    for there in own(path) - {here}:
        assert HEIGHT[there] <= HEIGHT[here], f"{here} must not import {there}"
        assert (here, there) not in APART and (there, here) not in APART, f"{here}, {there}"


def test_every_part_of_the_package_has_a_place() -> None:
    parts = {room(dotted(path)) for path in FILES} - {"", "__main__"}
    assert parts == set(HEIGHT)


def test_nothing_imports_itself_in_a_circle() -> None:
    """Modules of one layer included; what is only for the type checker does not count."""
    modules = {dotted(path): path for path in FILES}
    edges = {
        name: {m for m in imports(path, typing_only=False) if m in modules and m != name}
        - {name.rpartition(".")[0], PACKAGE}
        for name, path in modules.items()
    }
    lazy = {f"{PACKAGE}.cli.show", f"{PACKAGE}.cli.groups"}  # inside functions
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join((*trail, name))}"
        if name in done or name in lazy:
            return
        for below in edges[name]:
            visit(below, (*trail, name))
        done.add(name)

    for name in modules:
        visit(name, ())


@pytest.mark.parametrize("package", HOMES)
def test_heavy_packages_stay_in_their_rooms(package: str) -> None:
    homes = HOMES[package]
    for path in FILES:
        if package in {module.split(".")[0] for module in imports(path)}:
            where = path.relative_to(ROOT)
            inside = any(where.is_relative_to(home) for home in homes)
            assert inside, f"{package} is imported in {where}"


@pytest.mark.parametrize(
    ("folder", "name"), [(ROOMS[room], name) for room in ROOMS for name in names(room)]
)
def test_plugins_of_one_folder_never_import_each_other(folder: str, name: str) -> None:
    path = ROOT / folder.replace(".", "/") / f"{name.replace('-', '_')}.py"
    whole = f"{PACKAGE}.{folder}"
    siblings = {f"{whole}.{other.replace('-', '_')}" for other in names(folder_room(folder))}
    assert not siblings & imports(path)


def folder_room(folder: str) -> str:
    return next(room for room, place in ROOMS.items() if place == folder)


def test_what_only_reads_results_never_names_torch() -> None:
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in TORCHLESS:
            assert "torch" not in {module.split(".")[0] for module in imports(path)}, path


def loaded_by(code: str) -> set[str]:
    """The packages that a fresh Python has loaded after some code."""
    script = f"import sys\n{code}\nprint('LOADED', *{{m.partition('.')[0] for m in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_import_of_the_package_is_instant() -> None:
    assert not loaded_by(f"import {PACKAGE}") & {"torch", "pandas", "numpy", "typer"}


REPORT = f"""
import {PACKAGE}.reporting.report, {PACKAGE}.reporting.tables.points, {PACKAGE}.runs
heavy = {{'torch', 'torchvision', 'foolbox', 'typer', 'rich', 'matplotlib', 'scipy.stats'}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import {PACKAGE}.reporting.figures.decay_curve
assert 'matplotlib' not in sys.modules
import {PACKAGE}.reporting.figures._canvas
assert 'matplotlib.pyplot' not in sys.modules
"""


def test_reports_need_no_torch_and_load_matplotlib_late() -> None:
    loaded = loaded_by(REPORT)
    assert {"pandas", "matplotlib"} <= loaded
    assert not loaded & {"torch", "torchvision", "foolbox", "typer", "rich"}


HELP = """
from robustbench_cli.cli import main
commands = ['report', 'train', 'attack', 'run', 'transfer', 'sweep-epsilon', 'analyse', 'track']
for command in ([], *([name] for name in commands)):
    assert main([*command, '--help']) == 0
rooms = ('methods', 'attacks', 'models', 'datasets', 'figures', 'checks', 'analyses', 'trackers')
for room in rooms:
    assert main(['--list', room]) == 0
assert main(['--version']) == 0
"""


def test_help_and_lists_answer_without_the_heavy_packages() -> None:
    heavy = {"torch", "torchvision", "pandas", "numpy", "scipy", "sklearn", "foolbox", "matplotlib"}
    assert not loaded_by(HELP) & (heavy | {"trackio", "wandb", "tensorboard", "mlflow"})


def test_the_public_names_are_the_promise() -> None:
    for name in robustbench_cli.__all__:
        assert getattr(robustbench_cli, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'tarin'"):
        _ = robustbench_cli.tarin
