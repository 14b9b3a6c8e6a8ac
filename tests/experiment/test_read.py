"""TOML files: their grids, their slips, and a few hundred mutilated ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import two_tones

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment.plan import Experiment
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import allow_code

EXAMPLES = Path(__file__).parents[2] / "examples"
WHOLE = """\
[train]
data = "spirals:samples=40"
model = ["mlp:width=16", "mlp:width=8"]
method = ["plain", "mixup:alpha=0.4+pgd-at:steps=3"]
seeds = 2
epochs = 2
lr = 0.01
optimizer = "adam"
augment = false
label-noise = 0.1

[[attack]]
attack = ["linf-fgsm", "linf-pgd:steps=3"]
eps-range = "0:0.02:0.01"
eps = [0.5, "8/255"]
samples = 20

[[attack]]
attack = "l2-deepfool"
view = "bare"
batch-size = 7

[[transfer]]
source = "plain"
attack = "linf-fgsm"
eps = "0.01"

[[published]]
method = "plain"
attack = "linf-fgsm"
eps = ["0", "0.01"]
value = [99, 98.5]
by = "method"

[[claim]]
better = "mlp:width=16"
than = "mlp:width=8"
attack = "linf-pgd"
eps = "0.01"
margin = 2

[report]
folder = "results"
by = "model"
attack = "linf-pgd"
eps = "0.01"
"""
CLAIM = "[[claim]]\nthan = 'plain'\nmeasure = 'area'\n"


@pytest.fixture
def read(tmp_path: Path):  # type: ignore[no-untyped-def]
    def from_text(text: str | bytes) -> Experiment:
        path = tmp_path / "experiment.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_experiment(path, Where(Path("runs")))

    return from_text


def test_the_jobs_of_a_file(read) -> None:  # type: ignore[no-untyped-def]
    found = read(WHOLE)
    assert len(found.train) == 2 * 2 * 2
    assert len(found.attack) == 8 * 3
    assert len(found.transfer) == 4 and {len(job.targets) for job in found.transfer} == {8}
    assert found.report.folder == Path("results") and found.report.by == "model"
    first = found.train[0].config
    assert (first.lr, first.augment, first.label_noise) == (0.01, False, 0.1)
    texts = [str(eps) for eps in found.attack[0].config.epsilons]
    assert texts == ["0", "0.01", "0.02", "8/255", "0.5"]
    assert found.attack[16].config.view == "bare" and found.attack[16].config.batch_size == 7


def test_a_report_may_name_figures_and_lines(read) -> None:  # type: ignore[no-untyped-def]
    text = '[report]\nfigures = ["scatter:eps=0.10", "history"]\nhighlight = "pgd-at"\n'
    found = read(text).report
    assert (found.figures, found.highlight) == (("scatter:eps=0.10", "history"), ("pgd-at",))


def test_statements_are_by_what_the_report_is_by(read) -> None:  # type: ignore[no-untyped-def]
    found = read(WHOLE).statements
    assert [(p.by, p.measure, p.value) for p in found.published] == [
        ("method", "clean", 0.99),
        ("method", "accuracy", 0.985),
    ]
    assert [(c.by, c.first, c.margin) for c in found.claims] == [("model", "mlp:width=16", 0.02)]


def test_seeds_are_innermost_and_axes_come_in_the_order_of_the_file(read) -> None:  # type: ignore[no-untyped-def]
    text = '[train]\nseed = [5]\nmethod = ["plain", "als"]\nmodel = ["mlp", "lenet5"]\nseeds = 2\n'
    grid = [(j.config.method, j.config.model, j.config.seed) for j in read(text).train]
    assert grid == [
        (method, model, seed)
        for method in ("plain", "als")
        for model in ("mlp", "lenet5")
        for seed in (5, 0, 1)
    ]


def test_attacks_go_section_by_section_over_all_runs(read) -> None:  # type: ignore[no-untyped-def]
    labels = [job.label.partition(" on ")[0] for job in read(WHOLE).attack]
    assert labels == ["linf-fgsm", "linf-pgd:steps=3"] * 8 + ["l2-deepfool"] * 8


def test_what_is_absent_is_usual(read) -> None:  # type: ignore[no-untyped-def]
    found = read("[[attack]]")
    assert [job.config.name for job in found.train] == ["digits-lenet5-plain-s0"]
    assert str(found.attack[0].config.attack) == "linf-pgd"
    assert len(found.attack[0].config.epsilons) == 21, "the range of the data set"
    assert found.report.folder is None


def test_a_transfer_names_methods_in_any_spelling(read) -> None:  # type: ignore[no-untyped-def]
    text = (
        '[train]\nmethod = ["plain", "mixup:alpha=1.0"]\n'
        '[[transfer]]\nsource = "mixup:alpha=1.0"\ntarget = ["plain", "mixup"]\n'
    )
    (job,) = read(text).transfer
    assert job.source.name == "digits-lenet5-mixup-s0" and len(job.targets) == 2


def test_an_attack_may_name_files_instead(  # type: ignore[no-untyped-def]
    read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    allow_code("two_tones")
    files = [str(two_tones.weights(tmp_path / f"{name}.pt", 0.5)) for name in "ab"]
    section = f"""
    [[attack]]
    checkpoint = {files}
    data = "{two_tones.SPEC}"
    model = "{two_tones.MODEL}"
    eps = "0.2"
    """
    with pytest.raises(UsageError, match=r"a\.pt: how it sees images .* or --normalise data: 100"):
        read(section)
    found = read(f"{section}\nnormalise = '0.5:0.3'")
    assert not found.train and len(found.attack) == len(found.run_paths) == 2
    assert {Run.open(path).config["normalise"] for path in found.run_paths} == {"0.5:0.3"}
    found = read(f"[train]\nepochs = 1\n{section}\nnormalise = 'none'\n[[attack]]\neps = '0.1'")
    assert len(found.train) == 1 and len(found.attack) == len(found.run_paths) == 3


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_examples(path: Path) -> None:
    found = read_experiment(path, Where())
    assert found.train and found.attack


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]", "the file has no 'trian'; did you mean 'train'? it has: analyse, "),
        ("[train]\nmethods = 'plain'", "[train] has no 'methods'; did you mean 'method'?"),
        ("[train]\nmethod_resolved = 'plain'", "[train] has no 'method_resolved'"),
        ("[[attack]]\neps_range = '0:1:1'", "did you mean 'eps-range'?"),
        ("[[transfer]]\nschedule = 'ascending'", "[[transfer]] has no 'schedule'"),
        ("[report]\nfolders = 'x'", "did you mean 'folder'?"),
        ("[train]\nmethod = 'mixp'", "no method named 'mixp'; did you mean 'mixup'?"),
        ("[train]\nmethod = 5", "[train] method must be str; got 5"),
        ("[train]\nmethod = []", "[train] method is an empty list; name at least one"),
        ("[train]\nmethod = 'my_lab:Own'", "if you trust it: --allow-code my_lab"),
        ("[train]\nepochs = '3'", "[train] epochs must be int; got '3'"),
        ("[train]\nepochs = 2.5", "[train] epochs must be int; got 2.5"),
        ("[train]\nepochs = true", "[train] epochs must be int; got True"),
        ("[train]\nepochs = -1", "--epochs -1: expected 0 or more"),
        ("[train]\naugment = 1", "[train] augment must be bool; got 1"),
        ("[train]\noptimizer = 'lion'", "optimizer is one of sgd, adam, adamw; got 'lion'"),
        ("[train]\nschedule = ['cosine', 'cosin']", "is one of constant, step, cosine, cyclic"),
        ("[train]\nlr = nan", "--lr nan: expected 0 or more"),
        ("[train]\nlr = inf", "--lr inf: expected 0 or more"),
        ("[train]\nlr = 1" + "0" * 400, "[train] lr is out of range"),
        ("[train]\nseed = -1", "--seed -1: expected 0 or more"),
        ("[train]\nseeds = 0", "[train] seeds 0: expected 1 to 10000"),
        ("[train]\nseeds = 1000000000000", "expected 1 to 10000"),
        ("train = 5", "train is a section: write [train] once"),
        ("attack = 5", "attack is a list of sections: write [[attack]]"),
        ("[[attack]]\nattack = 'linf-pdg'", "did you mean 'linf-pgd'?"),
        ("[[attack]]\neps = 8", "so did you mean 8/255?"),
        ("[[attack]]\neps = nan", "'nan' is no numbe"),
        ("[[attack]]\neps = [true]", "True: expected text"),
        ("[[attack]]\neps-range = '0:1'", "write START:STOP:STEP"),
        ("[[attack]]\nsamples = '3'", "[[attack]] samples must be int; got '3'"),
        ("[[attack]]\nsamples = -3", "samples -3: expected 1 or more"),
        ("[[attack]]\nview = 3", "[[attack]] view must be str; got 3"),
        ("[[attack]]\nview = 'naked'", "no view 'naked'; type deployed, bare"),
        ("[[attack]]\nnormalise = 'none'", 'name their file: checkpoint = "weights.pt"'),
        ("[[attack]]\ncheckpoint = 'a.pt'", "checkpoint needs data: the data set it was"),
        ("[[attack]]\ncheckpoint = 'a.pt'\ndata = 'digits'", "a.pt: no such file or directory"),
        ("[[attack]]\ncheckpoint = []\ndata = 'digits'", "checkpoint needs the name of a"),
        (
            "[[attack]]\ncheckpoint = 'a.pt'\ndata = 'digits'\nmodel = 'my_lab:Net'",
            "if you trust it: --allow-code my_lab",
        ),
        ("[[attack]]\ncheckpoint = 'a.pt'\ndata = 'digits'\nnormalise = 3", "must be str; got 3"),
        (
            "[[transfer]]\nsource = 'plain'\ndata = 'digits'",
            "[[transfer]] data is for somebody else's weights; name them",
        ),
        ("[[transfer]]\nsource = 'a.pt'", "[[transfer]] source needs data: the data set it was"),
        ("[[transfer]]\nsource = 'runs/gone'\ndata = 'digits'", "runs/gone: no such file"),
        ("[[transfer]]\nsource = 'als'", "source: no run of als; there are: plain"),
        ("[report]\nfolder = 5", "[report] folder must be str; got 5"),
        ("[report]\nfigures = ['scattr']", "did you mean 'scatter'?"),
        ("[report]\nby = 5", "[report] by must be str; got 5"),
        ("[report]\neps = 'x'", "'x' is no numbe"),
        ("[[claim]]\nbeter = 'plain'", "[[claim]] has no 'beter'; did you mean 'better'?"),
        (
            f"{CLAIM}better = 'mixp'\nattack = 'linf-pgd'",
            "no method named 'mixp'; did you mean 'mixup'?",
        ),
        (f"{CLAIM}better = 'mixup'\nattack = 'linf-pdg'", "did you mean 'linf-pgd'?"),
        (f"{CLAIM}stronger = 'linf-pgd'\nmethod = 'als'", "no attack named 'plain'"),
        ("[[published]]\nmethod = 'plian'\nmeasure = 'cost'\nvalue = 5", "mean 'plain'?"),
        ("a = ", "is no TOML: Invalid value"),
        ("x = " + "[" * 10_000, "is no TOML"),
        ("x = " + "9" * 5000, "is no TOML"),
        (b"\xff\xfe", "is no TOML"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_slip_gets_one_line_that_names_the_file(read, text: str | bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError) as refusal:
        read(text)
    assert message in str(refusal.value)
    assert "experiment.toml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*: No such file"):
        read_experiment(tmp_path / "none.toml", Where())
    with pytest.raises(UsageError, match=r"cannot read .*: Is a directory"):
        read_experiment(tmp_path, Where())


BITS = [
    *("[", "]", "[[", '"', "'", "=", ",", "\n", "#", ".", "-", "0", "9", "nan", "inf", "true"),
    *("{}", "[]", '""', "5", "-1", "1e400", "1979-05-27", "{a=1}", "\x00", "é", "9" * 30, ":", "+"),
    *('["plain"]', "/0", "none", "8", "eps", "seeds = 3", "[report]\n", "data = 'folder:x'\n"),
]


def mutilated(rng: random.Random) -> str:
    text = WHOLE
    for _ in range(rng.randint(1, 2)):
        here = rng.randrange(len(text))
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:here] + rng.choice(BITS) + text[here:]
        elif kind == 1:
            text = text[:here] + text[here + rng.randint(1, 12) :]
        elif kind == 2:  # another value
            lines = text.splitlines()
            chosen = rng.randrange(len(lines))
            lines[chosen] = f"{lines[chosen].partition('=')[0]}= {rng.choice(BITS)}"
            text = "\n".join(lines)
        else:  # a line of another section
            lines = text.splitlines()
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            text = "\n".join(lines)
    return text


def test_mutilated_files_are_read_or_refused(read) -> None:  # type: ignore[no-untyped-def]
    rng, refused = random.Random(0), 0
    for _ in range(200):
        text = mutilated(rng)
        try:
            assert isinstance(read(text), Experiment)
        except UsageError as e:
            refused += 1
            assert "experiment.toml" in str(e)
    assert 20 < refused < 195, "the files are too broken, or not broken enough, to say much"
