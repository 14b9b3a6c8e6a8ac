"""What `pip install robustmix` leaves on a machine: built, installed, used away from the checkout.

Nothing is downloaded: the dependencies are those of the environment that runs the tests.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Callable
from email.parser import HeaderParser
from pathlib import Path

import pytest
from tiny import OPTIONS

from robustbench_cli import __version__

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "robustbench_cli"
NEEDED = ("pip", "hatchling")

pytestmark = [
    pytest.mark.slow,
    *(
        pytest.mark.skipif(
            not importlib.util.find_spec(name),
            reason=f"{name}, which builds or installs, is not installed here",
        )
        for name in NEEDED
    ),
]

Installed = Callable[..., subprocess.CompletedProcess[str]]


def called(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Without what would lead back to the checkout."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ROBUSTMIX_"))}
    environment = {**kept, "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation")
    done = called(*pip, "--wheel-dir", place, ROOT, cwd=place)
    assert done.returncode == 0, done.stderr
    (found,) = place.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and finds its dependencies where the tests do."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    done = called(*pip, wheel, cwd=place)
    assert done.returncode == 0, done.stderr
    (packages,) = place.glob("lib/python*/site-packages")
    others = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (packages / "others.pth").write_text("\n".join(sorted(others)))  # their own .pth are not read
    return place


@pytest.fixture
def installed(place: Path, tmp_path: Path) -> Installed:
    """Calls a program of that environment from an empty folder."""

    def call(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return called(place / "bin" / program, *arguments, cwd=tmp_path)

    return call


def files_of_the_package() -> set[str]:
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    return {str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts}


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == files_of_the_package()
    assert {Path(name).suffix for name in inside} >= {".py", ".csv", ".css", ".js", ".typed"}
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_what_the_package_index_will_show(wheel: Path) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        shown = HeaderParser().parsestr(archive.read(name).decode())
    assert (shown["Name"], shown["Version"]) == ("robustmix", __version__)
    assert shown["License-Expression"] == project["license"]
    assert shown["Requires-Python"] == project["requires-python"]
    assert set(shown.get_all("Provides-Extra")) == set(project["optional-dependencies"])
    assert "# robustmix" in shown.get_payload()


def test_the_command_is_there_and_runs_from_the_wheel(installed: Installed, place: Path) -> None:
    version = installed("robustmix", "--version")
    assert (version.returncode, version.stdout) == (0, f"robustmix {__version__}\n"), version.stderr
    where = "import robustbench_cli as package; print(package.__file__)"
    home = Path(installed("python", "-c", where).stdout.strip())
    assert home.is_relative_to(place) and not home.is_relative_to(ROOT)
    assert (home.parent / "py.typed").is_file()


def test_a_network_is_trained_attacked_and_put_on_a_page(
    installed: Installed, tmp_path: Path
) -> None:
    trained = installed("robustmix", "train", "-q", *OPTIONS)
    assert trained.returncode == 0, trained.stderr
    run = trained.stdout.strip()
    attacked = installed("robustmix", "attack", run, "-a", "linf-fgsm", "-e", "0.01", "--json")
    assert attacked.returncode == 0, attacked.stderr
    assert json.loads(attacked.stdout)["curves"]
    page = installed("robustmix", "report", run, "-o", "report.html")
    assert page.returncode == 0, page.stderr
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for asset in ("page.css", "page.js"):  # which lie beside the code, and are no code
        assert (PACKAGE / "reporting" / "page" / asset).read_text("utf-8").strip()[:80] in text
    foreign = installed("robustmix", "attack", "robustbench:Standrd")  # from a table in the package
    assert foreign.returncode == 2
    assert "did you mean robustbench:Standard?" in foreign.stderr
