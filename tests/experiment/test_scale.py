"""``--scale``: one file, several sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment.plan import Experiment
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where

WHOLE = """\
[train]
data = "digits"
method = ["plain", "mixup"]
epochs = 30
seeds = 5

[[attack]]
attack = "linf-fgsm"
eps = [0.1, 0.2]

[[attack]]
attack = "linf-pgd"
eps = 0.3
samples = 1000

[report]
folder = "results/whole"
by = "model"
"""


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    def from_text(text: str, scale: str | None = "laptop") -> Experiment:
        path = tmp_path / "experiment.toml"
        path.write_text(text)
        return read_experiment(path, Where(Path("runs")), scale=scale)

    return from_text


def test_a_scale_replaces_keys_of_sections(read) -> None:  # type: ignore[no-untyped-def]
    text = WHOLE + "[scale.laptop.train]\nepochs = 2\nseeds = 1\n[scale.laptop.attack]\nsamples=9\n"
    small = read(text)
    assert [job.config.epochs for job in small.train] == [2, 2]
    assert [job.config.samples for job in small.attack] == [9] * 4, "of every [[attack]]"
    assert [str(e) for e in small.attack[0].config.epsilons] == ["0.1", "0.2"]
    assert read(text, None) == read(WHOLE, None), "as it is written, where none is asked for"


def test_a_list_stands_in_the_place_of_all_sections(read) -> None:  # type: ignore[no-untyped-def]
    text = WHOLE + '[[scale.laptop.attack]]\nattack = "l2-fgm"\neps = 1\n'
    assert [job.config.attack for job in read(text).attack] == ["l2-fgm"] * 10


def test_scales_report_into_folders_of_their_own(read) -> None:  # type: ignore[no-untyped-def]
    text = WHOLE + "[scale.laptop.train]\nepochs = 2\n"
    small, whole = read(text).report, read(text, None).report
    assert (small.folder, small.by) == (Path("results/whole-laptop"), "model")
    assert whole.folder == Path("results/whole")
    assert read(text + '[scale.laptop.report]\nfolder = "mine"\n').report.folder == Path("mine")
    unreported = text.partition("[report]")[0] + text[text.index("[scale") :]
    assert read(unreported).report.folder is None


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("", "no scale 'laptop'; there are: none; a section [scale.laptop.train] would make one"),
        ("[scale.tiny.train]\n[scale.gpu.train]\n", "no scale 'laptop'; there are: tiny, gpu"),
        ("[scale]\nlaptop = 3\n", "laptop is a section: write [laptop] once"),
        ("[scale.laptop]\nepochs = 2\n", "[scale.laptop] epochs is no section"),
        ("[scale.laptop.transfer]\nsamples = 2\n", "changes [[transfer]], of which the file has"),
        ("[scale.laptop.train]\nepoch = 2\n", " at [scale.laptop]: [train] has no 'epoch'; did"),
        ("[scale.laptop.attacks]\n", "changes [[attacks]], of which the file has none"),
        ("[[scale.laptop.attacks]]\n", " at [scale.laptop]: the file has no 'attacks'; did you"),
        ("[scale.laptop]\nscale = []\n", "at [scale.laptop]: the file has no 'scale'; it has"),
    ],
)
def test_slips_get_a_line(read, added: str, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        read(WHOLE + added)
    assert "\n" not in str(raised.value)
