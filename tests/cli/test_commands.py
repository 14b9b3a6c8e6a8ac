"""Each subcommand as it is typed: what it prints, where, and in which form."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
import two_tones
from console import Cli
from tiny import OPTIONS, contents

from robustbench_cli.cli import show
from robustbench_cli.models import infer
from robustbench_cli.models.model import Architecture, make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.runs.run import Run, load_runs
from robustbench_cli.spec import build

PLAIN = "spirals-samples=40-mlp-width=16-plain-epochs=2-s0"
MIXUP = PLAIN.replace("plain", "mixup")
FGSM = ["-a", "linf-fgsm", "-e", "0.01,0.02"]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- train ---


def test_a_slip_about_a_cluster_is_answered_before_any_work(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = cli("train", *OPTIONS, "--submitit", "partion=gpu")
    assert found.code == 2 and "did you mean 'partition'?" in found.line
    found = cli("train", *OPTIONS, "--submitit", "cluster=local", "--ray", "auto")
    assert found.code == 2 and "--ray and --submitit are two clusters" in found.line
    assert not Path("runs").exists()


def test_train_prints_a_directory_per_run_in_the_order_of_the_grid(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", *OPTIONS, "-m", "plain", "-m", "als", "--seeds", "2"]
    found = cli(*command)
    assert found.code == 0
    assert found.out.splitlines() == [
        f"runs/{PLAIN.replace('plain', method).replace('s0', f's{seed}')}"
        for method in ("plain", "als")
        for seed in (0, 1)
    ]
    assert "4 runs: 0 finished earlier, 4 to do" in found.err
    before = contents(Path("runs"))
    again = cli(*command)
    assert again.out == found.out and "4 finished earlier, 0 done, 0 failed" in again.err
    assert contents(Path("runs")) == before


def test_train_can_be_seen_before_it_is_done(cli: Cli, runs: Path) -> None:
    found = cli("train", *OPTIONS, "-m", "plain", "-m", "als", "--dry-run")
    assert found.code == 0 and found.err == ""
    assert found.out.splitlines() == [
        f"done   train {PLAIN}",
        f"to do  train {PLAIN.replace('plain', 'als')}",
    ]
    assert not (runs / PLAIN.replace("plain", "als")).exists()


def test_folders_come_from_options_or_the_environment(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", *OPTIONS, "--runs-dir", "here").out == f"here/{PLAIN}\n"
    monkeypatch.setenv("ROBUSTMIX_RUNS", "there")
    assert cli("train", *OPTIONS).out == f"there/{PLAIN}\n"


def test_quiet_means_errors_only(cli: Cli, runs: Path) -> None:
    assert cli("train", *OPTIONS, "--seeds", "2", "-q").err == ""
    found = cli("train", *OPTIONS, "-m", "mixp", "-q")
    assert found.code == 2 and "did you mean 'mixup'?" in found.line


def test_one_failure_of_several_is_3_and_the_others_are_kept(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "--data", "digits", "--data", "spirals", "--model", "lenet5"]
    found = cli(*command, "--epochs", "1", "--train-fraction", "0.1")
    assert found.code == 3
    assert found.out == "runs/digits-lenet5-plain-epochs=1-train-fraction=0.1-s0\n"
    (error,) = [line for line in found.err.splitlines() if line.startswith("Error: ")]
    assert "train spirals-lenet5" in error
    assert "1 done, 1 failed" in found.err


def test_the_only_failure_is_1_and_nothing_is_printed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = cli("train", *OPTIONS, "--optimizer", "sgd", "--lr", "1e9", "--epochs", "20")
    assert found.code == 1 and "try a smaller --lr" in found.line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-m", "mixup:alpa=1"], "did you mean 'alpha'?"),
        (["-m", "vib+info-mixup"], "both replace the head: keep one"),
        (["--data", "minst"], "did you mean 'mnist'?"),
        (["--model", "mpl"], "did you mean 'mlp'?"),
        (["--model", "my_lab.nets:Net"], "no module named 'my_lab'"),
        (["--train-fraction", "2"], "--train-fraction 2.0 is no share; expected a number from 0"),
        (["-m", "als", "--device", "abacus"], "no device 'abacus' here; type --device auto, cpu"),
        (["--device", "cpu", "--precision", "float16"], "float16 needs a GPU; type --precision b"),
        (["--lr", "nan"], "--lr nan: expected 0 or more"),
    ],
)
def test_train_refuses_in_one_line(
    cli: Cli, runs: Path, arguments: list[str], message: str
) -> None:
    found = cli("train", *OPTIONS, *arguments)
    assert found.code == 2 and message in found.line


# --- attack, sweep-epsilon ---


def test_attack_prints_accuracy_at_each_epsilon(cli: Cli, runs: Path) -> None:
    found = cli("attack", runs / PLAIN, *FGSM)
    assert found.code == 0
    assert all(line.startswith("warning: ") for line in found.err.splitlines())
    lines = [line.split() for line in found.out.splitlines()]
    assert ["linf-fgsm", "0.01"] in [line[:2] for line in lines]
    assert any(line[:2] == ["(clean)", "0"] for line in lines)
    assert found.out == cli("attack", runs / PLAIN, *FGSM).out, "read, not repeated"


@pytest.mark.parametrize("command", ["attack", "sweep-epsilon"])
def test_results_in_every_form(cli: Cli, attacked: Path, command: str) -> None:
    asked = [command, attacked, "-a", "linf-fgsm", "-e", "0,0.01,0.02"]
    document = json.loads(cli(*asked, "--json").out)
    assert document == json.loads(cli(*asked, "-f", "json").out)
    points = [p for curve in document["curves"] for p in curve["points"]]
    assert {p["eps"] for p in points} == {"0", "0.01", "0.02"}
    assert all(0 <= p["low"] <= p["accuracy"] <= p["high"] <= 1 for p in points if p["low"])
    table = rows(cli(*asked, "-f", "csv").out)
    assert {float(row["eps_value"]) for row in table} == {0.0, 0.01, 0.02}
    assert "| --- |" in cli(*asked, "-f", "markdown").out
    assert r"\begin{tabular}" in cli(*asked, "-f", "latex").out


def test_output_goes_where_it_is_told_in_the_form_of_the_suffix(cli: Cli, attacked: Path) -> None:
    for suffix, sign in ((".md", "| --- |"), (".csv", "eps_value"), (".json", '"format": 1')):
        path = Path("new") / f"table{suffix}"
        found = cli("report", attacked, "-o", path)
        assert found.code == 0 and found.out == "" and f"wrote {path}" in found.err
        assert sign in path.read_text()
    assert cli("report", attacked, "-o", "-").out == cli("report", attacked).out
    assert cli("report", attacked, "-o", "-", "--json").out == Path("new/table.json").read_text()
    found = cli("attack", attacked, *FGSM, "-o", "table.xls")
    assert found.code == 2 and "no table format '.xls'" in found.line


def test_checks_and_eight_bits_are_asked_for_by_name(cli: Cli, runs: Path) -> None:
    attack = ("attack", runs, "-a", "linf-fgsm", "-e", "0.01", "-q")
    assert "Not measured" in cli(*attack).out
    full = cli(*attack, "--checks", "full", "--json")
    assert full.code == 0 and "Not measured" not in full.out
    assert "verdict" in json.loads(full.out)
    assert cli(*attack, "--eight-bit").code == 0
    records = [json.loads(p.read_text()) for p in runs.glob("*/attacks/*.json")]
    assert sum("eight_bit" in record["identity"] for record in records) == 3 == len(records) - 3
    refused = cli("transfer", "--source", runs, "--target", runs, "--eight-bit")
    assert "--eight-bit is for attack" in refused.err


def test_report_compares_with_a_row(cli: Cli, attacked: Path) -> None:
    found = cli("report", attacked, "--against", "plain")
    assert found.code == 0 and "difference to plain" in found.out
    assert cli("report", attacked, "--against", "plian").line.endswith(
        "--against plian: no such row; there are: mixup, plain"
    )


def test_a_sweep_over_a_range_has_both_ends(cli: Cli, runs: Path) -> None:
    found = cli(
        *("sweep-epsilon", runs, "-a", "linf-fgsm", "-a", "linf-noise"),
        *("--eps-range", "0:0.04:0.01", "--samples", "10", "--json"),
    )
    curves = json.loads(found.out)["curves"]
    assert {curve["attack"] for curve in curves} == {"linf-fgsm", "linf-noise"}
    grids = {tuple(point["eps"] for point in curve["points"]) for curve in curves}
    assert grids == {("0", "0.01", "0.02", "0.03", "0.04")}
    assert "6 evaluations: 0 finished earlier, 6 to do" in found.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/none"], "runs/none: no such file or directory; train one: robustmix train"),
        (["net.pt", "--normalise", "own"], "net.pt: no such file or directory"),
        (["runs", "-a", "linf-pdg"], "no attack named 'linf-pdg'; did you mean 'linf-pgd'?"),
        (["runs", "-a", "linf-pgd:stepz=3"], "did you mean 'steps'?"),
        (["runs", "-e", "8"], "pixels are in [0, 1], so did you mean 8/255?"),
        (["runs", "-e", "0.1,8"], "did you mean 8/255?"),
        (["runs", "-e", ""], "lacks an epsilon"),
        (["runs", "--eps-range", "0:0.5:0.3"], "stop at 0.3 or 0.6"),
        (["runs", "-a", "union", "-e", "0.3"], "type: -a union -e linf=8/255,l2=0.5"),
        (["runs", "-a", "union", "-e", "linf=8,l2=0.5"], "did you mean 8/255?"),
        (["runs", "-a", "union", "-e", "linf=0.1,linf-fgsm=0.2"], "two balls of linf"),
        (["runs", "--samples", "0"], "Invalid value for '--samples'"),
        (["runs", "--view", "naked"], "Invalid value for '--view'"),
    ],
)
def test_attack_refuses_in_one_line(
    cli: Cli, runs: Path, arguments: list[str], message: str
) -> None:
    found = cli("attack", *arguments)
    assert found.code == 2 and message in found.line
    assert not list(runs.glob("*/attacks"))


def test_a_union_over_norms_is_attacked_in_each_and_stands_apart(cli: Cli, runs: Path) -> None:
    balls = "linf-fgsm=0.02,l2-fgm=0.05"
    asked = [runs / PLAIN, "-a", "union", "-e", balls]
    listed = cli("attack", *asked, "--dry-run").out.splitlines()
    assert listed == [f"to do  {name} on {PLAIN}" for name in ("linf-fgsm", "l2-fgm")]
    found = cli("attack", *asked, "--json")
    (union,) = json.loads(found.out)["unions"]
    assert union["union"] == balls and found.code == 0
    parts = {e.attack: e.correct() for e in Run.open(runs / PLAIN).evaluations()}
    both = parts["linf-fgsm"]["0.02"] & parts["l2-fgm"]["0.05"]
    assert union["accuracy"] == pytest.approx(both.mean(), abs=1e-6)
    told = cli("report", *asked, "-f", "csv")
    assert "union" not in told.out and "--json holds the union, too" in told.err
    refused = cli("report", *asked, "--figure", "decay-curve", "-o", "a.png")
    assert refused.code == 2 and "leave -a union out" in refused.line
    for command in (["sweep-epsilon", *asked], ["transfer", "--source", *asked, "--target", runs]):
        assert cli(*command).code == 2


def test_an_unfinished_run_is_named(cli: Cli, runs: Path) -> None:
    Run.open(runs / PLAIN).update(status="training")
    found = cli("attack", runs)
    assert found.code == 2 and f"{PLAIN} is not trained to its end" in found.line


def test_a_damaged_run_does_not_stop_the_others(cli: Cli, runs: Path) -> None:
    weights = runs / PLAIN / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    found = cli("attack", runs, *FGSM, "--json")
    assert found.code == 3
    assert len(json.loads(found.out)["curves"]) == 2
    assert "does not fit mlp:width=16" in found.err and "2 done, 1 failed" in found.err


def test_a_damaged_result_is_named_and_force_mends_it(cli: Cli, attacked: Path) -> None:
    (record,) = (attacked / PLAIN / "attacks").glob("*.json")
    record.write_text("{")
    asked = ["attack", attacked / PLAIN, "-a", "linf-fgsm", "-e", "0,0.01,0.02"]
    found = cli(*asked)
    assert found.code == 1 and f"{record} is no JSON" in found.line
    assert cli(*asked, "--force").code == 0 and cli(*asked).code == 0


# --- somebody else's weights ---


@pytest.fixture
def few_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights may be an MLP's alone: to lay out every known network for new images takes long."""
    known = [build(Architecture, name) for name in ("mlp", "mlp:width=100")]
    monkeypatch.setattr(infer, "candidates", lambda: known)


def weights_of(name: str, path: Path) -> Path:
    torch.manual_seed(0)
    model = make(open_architecture(name), (1, 1, 2), 2)
    torch.save(model.network.state_dict(), path)
    return path


def test_a_checkpoint_is_attacked_like_a_run(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weights_of("mlp:width=16", Path("theirs.pt"))
    asked = ["attack", "theirs.pt", "--data", "spirals:samples=40", "--model", "mlp:width=16"]
    asked += ["--normalise", "none"]
    found = cli(*asked, *FGSM)
    assert found.code == 0 and "theirs.pt: mlp:width=16" in found.err
    assert "normalisation: " in found.err
    again = cli(*asked, *FGSM)
    assert again.out == found.out and "normalisation" not in again.err, "adopted once"
    assert [run.name for run in load_runs("runs")] == ["spirals-samples=40-theirs-none"]


@pytest.mark.usefixtures("few_networks")
def test_two_checkpoints_of_one_name_stay_apart(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--data", "spirals:samples=40", "--normalise", "none", *FGSM, "--json"]
    for folder, width in (("a", 64), ("b", 100)):
        Path(folder).mkdir()
        weights_of(f"mlp:width={width}", Path(folder) / "best.pt")
    both = json.loads(cli("attack", "a/best.pt", "b/best.pt", *asked).out)["curves"]
    assert len({curve["run"] for curve in both}) == 2
    assert [curve["model"] for curve in both] == ["mlp", "mlp:width=100"]
    assert len(json.loads(cli("attack", "a/best.pt", *asked).out)["curves"]) == 1


def test_what_decides_the_number_is_asked(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_tones.weights(Path("theirs.pt"), 0.5)
    asked = ["theirs.pt", "--data", two_tones.SPEC, "--model", two_tones.MODEL]
    found = cli("attack", *asked, "-e", "0.2")
    assert found.code == 2 and "--normalise none: 100.0% of 1800 training images" in found.line
    assert cli("sweep-epsilon", *asked, "--eps-range", "0:0.4:0.1").code == 2
    assert cli("attack", *asked, "-e", "0.02").code == 0
    found = cli("attack", "runs/*", "-e", "0.2")
    assert "none was guessed, and whether" in found.err, "the run knows what was not measured"
    found = cli("attack", *asked, "-e", "0.2", "--normalise", "guess")
    assert found.code == 0 and "which matters: 100.0% and 5" in found.err
    assert "Checks: 1 failed" in found.out + found.err
    found = cli("attack", "runs/*", "-e", "0.2", "--normalise", "none")
    assert found.code == 2 and "--normalise is for checkpoint files" in found.line


def test_the_weights_of_a_run_stand_for_the_run(cli: Cli, runs: Path) -> None:
    by_file = cli("attack", runs / PLAIN / "model.safetensors", *FGSM)
    assert by_file.out == cli("attack", runs / PLAIN, *FGSM).out
    assert len(load_runs(runs)) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>404</html>", "is a web page, not a checkpoint"),
        (b"", "is empty"),
        (b"PK\x03\x04" + b"\x00" * 50, "is cut short, damaged or no checkpoint"),
        (b"\x80\x04cos\nsystem\n", "is a plain pickle, which may hold code"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    ],
    ids=["html", "empty", "cut", "pickle", "lfs"],
)
def test_what_is_no_checkpoint_is_one_line(
    cli: Cli, runs: Path, content: bytes, message: str
) -> None:
    Path("weights.pt").write_bytes(content)
    found = cli("attack", "weights.pt", "--data", "spirals:samples=40")
    assert found.code == 1 and message in found.line
    assert len(load_runs(runs)) == 3


def test_a_hugging_face_folder_is_no_run_until_it_is_attacked(cli: Cli, runs: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        Path(name).write_text("{}")
    found = cli("report", ".")
    assert found.code == 2 and "it becomes one: robustmix attack . --data SPEC" in found.line
    found = cli("attack", ".")
    assert found.code == 2 and "which data set was it trained on? type --data mnist" in found.line


@pytest.mark.usefixtures("few_networks")
def test_a_checkpoint_without_its_data_set(cli: Cli, runs: Path) -> None:
    weights_of("mlp", Path("weights.pt"))
    found = cli("attack", "weights.pt")
    assert found.code == 2 and "which data set was it trained on? type --data mnist" in found.line
    found = cli("attack", "weights.pt", "--data", "digits")
    assert found.code == 1 and "weights.pt" in found.line


# --- transfer ---


def test_transfer_marks_the_white_box(cli: Cli, runs: Path) -> None:
    asked = ["transfer", "--source", runs / PLAIN, "--target", runs / PLAIN]
    found = cli(*asked, "--target", runs / MIXUP, *FGSM[:2], "-e", "0.02")
    assert found.code == 0
    assert "mixup" in found.out and "white box" in found.out
    document = json.loads(cli(*asked, *FGSM[:2], "-e", "0.02", "--json").out)
    assert document["format"] == 1
    assert rows(cli(*asked, *FGSM[:2], "-e", "0.02", "-f", "csv").out)


def test_transfer_between_data_sets_is_refused(cli: Cli, runs: Path) -> None:
    other = cli("train", *OPTIONS[2:], "--data", "spirals:samples=50", "-q").out.strip()
    found = cli("transfer", "--source", runs / PLAIN, "--target", other)
    assert found.code == 2 and "transfer needs networks for the same data" in found.line


def test_transfer_between_runs_of_one_name_is_refused(cli: Cli, runs: Path) -> None:
    shutil.copytree(runs, "other")
    found = cli("transfer", "--source", runs / PLAIN, "--target", f"other/{PLAIN}", *FGSM)
    assert found.code == 2 and "have the same name; rename one of the directories" in found.line


# --- report ---


def test_report_reads_the_folder_runs_by_default(cli: Cli, attacked: Path) -> None:
    found = cli("report")
    assert found.code == 0 and found.out == cli("report", "runs").out
    assert [line.split()[0] for line in found.out.splitlines() if "0." in line[-30:]]
    assert all(line.startswith("warning: ") for line in found.err.splitlines())


def test_report_chooses_attacks_and_epsilons(cli: Cli, attacked: Path) -> None:
    chosen = rows(cli("report", "-a", "linf-fgsm", "-e", "0.02", "-f", "csv").out)
    assert {row["eps"] for row in chosen} >= {"0.02"}
    found = cli("report", "-a", "l2-pgd")
    assert found.code == 2 and "no run was attacked by l2-pgd; there are: linf-fgsm" in found.line
    found = cli("report", "-e", "0.3")
    assert found.code == 2 and "no run was attacked at eps 0.3" in found.line
    found = cli("report", "--by", "modle")
    assert found.code == 2 and "no run has a setting 'modle'" in found.line


def test_report_draws(cli: Cli, attacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("decay.png", "decay.svg"):
        found = cli("report", "--figure", "decay-curve", "-o", name)
        assert found.code == 0 and found.out == "" and found.err.endswith(f"wrote {name}\n")
        assert Path(name).stat().st_size > 5000
    found = cli("report", "--figure", "decay-curve")
    assert found.code == 2 and "needs a file: -o decay-curve.png, .svg or .pdf" in found.line
    monkeypatch.setattr(show, "to_a_terminal", lambda: True)
    found = cli("report", "--figure", "decay-curve")
    assert found.code == 0 and "ε (L∞, pixels in [0, 1])" in found.out and found.err == ""
    found = cli("report", "--figure", "scatter")
    assert found.code == 2 and "needs a file: -o scatter.png" in found.line
    found = cli("report", "--figure", "decay-curv", "-o", "x.png")
    assert found.code == 2 and "did you mean 'decay-curve'?" in found.line
    found = cli("report", "-o", "x.png")
    assert found.code == 2 and "x.png is a picture; say which: --figure" in found.line
    assert not Path("x.png").exists()


def test_report_draws_what_a_figure_is_told(cli: Cli, attacked: Path) -> None:
    found = cli("report", "--figure", "decay-curve", "--highlight", "mixup", "-o", "some.png")
    assert found.code == 0 and Path("some.png").stat().st_size > 5000
    found = cli("report", "--figure", "decay-curve", "--highlight", "mxup", "-o", "x.png")
    assert found.code == 2 and "--highlight mxup: no such line; did you mean 'mixup'" in found.line
    found = cli("report", "--figure", "setting-curve:label-noise,y=area", "-o", "x.png")
    assert found.code == 2 and "no two values of label-noise" in found.line
    found = cli("report", "--figure", "scatter:eps=0.02")
    assert found.code == 2 and "needs a file: -o scatter.png" in found.line
    assert not Path("x.png").exists()


@pytest.mark.parametrize("figure", ["scatter", "history", "attacks-compared", "timing"])
def test_figures_of_real_runs(cli: Cli, attacked: Path, figure: str) -> None:
    found = cli("report", "--figure", figure, "-o", "it.png")
    assert found.code == 0 and Path("it.png").stat().st_size > 5000


def test_report_writes_a_folder(cli: Cli, attacked: Path) -> None:
    found = cli("report", "-o", "results/")
    assert found.code == 0 and "Accuracy" in found.out
    assert {"table.md", "table.csv", "table.json", "table.tex", "decay-curve.png"} <= {
        path.name for path in Path("results").iterdir()
    }


def test_report_shows_transfers(cli: Cli, attacked: Path) -> None:
    found = cli("report", "--transfers")
    assert found.code == 0 and "mixup" in found.out


def test_nothing_to_report(cli: Cli, runs: Path) -> None:
    found = cli("report")
    assert found.code == 1 and "not attacked yet" in found.line
    shutil.rmtree(runs)
    found = cli("report")
    assert found.code == 2 and "runs: no such file or directory" in found.line


# --- run ---

EXPERIMENT = """
[train]
data = "spirals:samples=40"
model = "mlp:width=16"
method = ["plain", "mixup"]
epochs = 2

[[attack]]
attack = "linf-fgsm"
eps = "0.01,0.02"

[[transfer]]
source = "plain"
attack = "linf-fgsm"
eps = "0.01"

[[claim]]
better = 'mixup'
than = "plain"
measure = "clean"

[report]
folder = "results"
"""


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("experiment.toml").write_text(EXPERIMENT)
    return Path("experiment.toml")


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_does_a_whole_experiment_once(cli: Cli, experiment: Path) -> None:
    planned = cli("run", experiment, "--dry-run")
    assert planned.code == 0 and planned.err == "" and not Path("runs").exists()
    assert planned.out.splitlines() == [
        f"to do  train {PLAIN}",
        f"to do  train {MIXUP}",
        f"to do  linf-fgsm on {PLAIN}",
        f"to do  linf-fgsm on {MIXUP}",
        f"to do  linf-fgsm from {PLAIN} to 2 networks",
    ]
    found = cli("run", experiment, "-j", "1", "--json")
    assert found.code == 0
    assert {curve["label"] for curve in json.loads(found.out)["curves"]} == {"plain", "mixup"}
    assert len(json.loads(found.out)["claims"]) == 1
    names = {path.name for path in Path("results").iterdir()}
    assert {"table.md", "transfers.csv", "decay-curve.svg", "transfer-matrix.png"} <= names
    assert {"claims.json", "claims.png"} <= names
    done = cli("run", experiment, "--dry-run").out
    assert done == planned.out.replace("to do ", "done  ")
    before = contents(Path("runs"))
    assert cli("run", experiment, "-j", "1", "--json").out == found.out
    assert contents(Path("runs")) == before


@pytest.mark.usefixtures("unsaved_pictures")
def test_the_same_file_gives_the_same_report_whatever_else_its_runs_hold(
    cli: Cli, experiment: Path
) -> None:
    first = cli("run", experiment, "-j", "1", "--json")
    tables = {path.name: path.read_bytes() for path in Path("results").glob("*.csv")}
    cli("attack", f"runs/{PLAIN}", "-a", "l2-fgm", "-a", "linf-fgsm", "-e", "0.03", "-q")
    pair = ["--source", f"runs/{MIXUP}", "--target", f"runs/{PLAIN}"]
    cli("transfer", *pair, "-a", "linf-bim", "-q")
    again = cli("run", experiment, "-j", "1", "--json")
    assert json.loads(again.out)["curves"] == json.loads(first.out)["curves"]
    assert {path.name: path.read_bytes() for path in Path("results").glob("*.csv")} == tables
    everything = json.loads(cli("report", "runs", "--json").out)["curves"]
    assert len(everything) > len(json.loads(first.out)["curves"])


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_reports_a_union_over_norms(cli: Cli, experiment: Path) -> None:
    balls = 'attack = ["linf-fgsm", "union"]\neps = ["0.01", "linf-fgsm=0.02,l2-fgm=0.05"]'
    first = 'attack = "linf-fgsm"\neps = "0.01,0.02"'
    experiment.write_text(EXPERIMENT.replace(first, balls, 1).partition("[[transfer]]")[0])
    found = cli("run", experiment, "-j", "1", "--json")
    assert found.code == 0
    unions = json.loads(found.out)["unions"]
    assert [each["label"] for each in unions] == ["plain", "mixup"]


@pytest.mark.usefixtures("runs", "unsaved_pictures")
def test_run_shows_the_transfers_of_a_file_that_only_transfers(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "transfer.toml"
    file.write_text(
        f'[[transfer]]\nsource = "runs/{PLAIN}"\ntarget = "runs/{MIXUP}"\n'
        'attack = "linf-fgsm"\neps = "0.01"\n[report]\nfolder = "results"\n'
    )
    found = cli("run", file, "-j", "1", "--json")
    (pair,) = json.loads(found.out)["transfers"]
    assert (pair["source"], pair["target"]) == ("plain", "mixup")
    assert json.loads(Path("results/transfers.json").read_text()) == json.loads(found.out)


def test_run_has_scales(cli: Cli, experiment: Path) -> None:
    experiment.write_text(EXPERIMENT + "[scale.laptop.train]\nseed = 7\n")
    listed = cli("run", experiment, "--scale", "laptop", "--dry-run").out
    assert listed.splitlines()[0] == f"to do  train {PLAIN.removesuffix('0')}7"
    refused = cli("run", experiment, "--scale", "labtop")
    assert refused.code == 2 and "no scale 'labtop'; there are: laptop" in refused.err


@pytest.mark.usefixtures("unsaved_pictures")
def test_run_keeps_what_succeeds(
    cli: Cli, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment.write_text(EXPERIMENT.replace('"mixup"', '"pgd-at:eps=0,step-size=0", "sat"'))
    from robustbench_cli.training.train import Trainer

    epoch = Trainer._epoch

    def broken(self: Trainer, number: int) -> dict[str, float]:
        if "sat" in self.config.method:
            raise ZeroDivisionError
        return epoch(self, number)

    monkeypatch.setattr(Trainer, "_epoch", broken)
    found = cli("run", experiment, "-j", "1", "--json")
    assert found.code == 3
    labels = {curve["label"] for curve in json.loads(found.out)["curves"]}
    assert labels == {"plain", "pgd-at:eps=0,step-size=0"}
    assert "train spirals" in found.err and "ZeroDivisionError" in found.err


@pytest.mark.usefixtures("unsaved_pictures")
def test_a_failed_transfer_takes_no_run_out_of_the_report(
    cli: Cli, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from robustbench_cli.jobs import TransferJob

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TransferJob, "run", broken)
    found = cli("run", experiment, "-j", "1", "--json")
    assert found.code == 3
    assert {curve["label"] for curve in json.loads(found.out)["curves"]} == {"plain", "mixup"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"mixup"', '"mixp"', "no method named 'mixp'; did you mean 'mixup'?"),
        ("[report]", "[reprot]", "the file has no 'reprot'; did you mean 'report'?"),
        ('eps = "0.01,0.02"', "eps = 8", "did you mean 8/255?"),
        ("epochs = 2", "epochs = ", "is no TOML"),
    ],
)
def test_run_refuses_in_one_line_that_names_the_file(
    cli: Cli, experiment: Path, old: str, new: str, message: str
) -> None:
    experiment.write_text(EXPERIMENT.replace(old, new))
    found = cli("run", experiment)
    assert found.code == 2 and message in found.line and "experiment.toml" in found.line
    assert not Path("runs").exists()


def test_run_needs_a_file(cli: Cli, experiment: Path) -> None:
    found = cli("run", "none.toml")
    assert found.code == 2 and "cannot read none.toml: No such file" in found.line


# --- code of the user's own ---


def test_own_code_is_typed_or_allowed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    code = "from robustbench_cli import Method\nclass Blur(Method):\n    '''As it is.'''\n"
    Path("console_lab.py").write_text(code)

    def as_in_a_new_process() -> None:
        monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())

    as_in_a_new_process()
    trained = cli("train", *OPTIONS, "-m", "mixup+console_lab:Blur")
    assert trained.code == 0
    as_in_a_new_process()
    found = cli("attack", "runs", *FGSM)
    assert found.code == 2 and "if you trust it: --allow-code console_lab" in found.err
    assert cli("attack", "runs", *FGSM, "--allow-code", "console_lab").code == 0
