"""A card from one call: what it holds, and that no work is done twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import two_tones
import zoo
from tiny import contents
from torch import nn

import robustbench_cli
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.files import read_json
from robustbench_cli.jobs import AttackJob, Job, Where
from robustbench_cli.origins import Said, open_named
from robustbench_cli.referee.card import Files, _lent, card
from robustbench_cli.referee.plan import Ask, Plan
from robustbench_cli.referee.protocol import LEVELS, Level, threats_for
from robustbench_cli.reporting.card.schema import CARD, read_card
from robustbench_cli.runs import hub
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.runs.run import Run, load_runs
from robustbench_cli.schema import check_document
from robustbench_cli.spec import allow_code

SHORT = Level("quick", 2, 1, "steps=2,targets=1,queries=4", 2, "quick", 10, 20, 1.0)
ATTACKS = ["linf-fgsm", "linf-noise:draws=2", "linf-pgd:steps=2", "worst-case:linf"]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the budget, two steps on twenty images."""
    monkeypatch.setattr("robustbench_cli.referee.plan.choose", lambda *_, **__: (SHORT, 20))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that are run, as they are called."""
    seen: list[str] = []
    attack = AttackJob.run

    def run(job: AttackJob, *more: Any) -> Path:
        seen.append(job.config.attack)
        return attack(job, *more)

    monkeypatch.setattr(AttackJob, "run", run)
    return seen


def examined(runs: Path, **options: Any) -> dict[str, Any]:
    one, other, _ = load_runs(runs)
    options = {"norms": "linf=0.01", "source": other.path, "output": "out", **options}
    return card(one, **options).document


@pytest.mark.usefixtures("short")
def test_a_card_holds_what_the_records_say(runs: Path) -> None:
    document = examined(runs)
    check_document(document, CARD, "here", "mend it")
    assert read_card("out/card.json") == json.loads(json.dumps(document))
    assert Path("out/card.html").read_text("utf-8").startswith("<!doctype html>")
    numbers = {each["what"]: each for each in document["numbers"]}
    assert list(numbers) == ["clean", "noise", "one step", "PGD", "transfer", "worst case"]
    right = []
    for what, each in list(numbers.items())[1:]:
        folder = load_runs(runs)[what == "transfer"].path
        evaluation = Evaluation.load(folder / each["record"])
        assert each["accuracy"] == evaluation.accuracy()["accuracy"].iloc[0]
        assert each["n"] == evaluation.n == 20
        right.append(evaluation.correct()["0.01"].sort_index())
    (robust,) = document["robust"]
    held = [all(each) for each in zip(*right, strict=True)]
    assert robust["accuracy"] == sum(held) / 20 <= min(e["accuracy"] for e in numbers.values())
    assert robust["broken_by"]["PGD"] == 20 * (1 - numbers["PGD"]["accuracy"])
    protocol = document["protocol"]
    assert (protocol["strength"], protocol["images"], protocol["of"]) == ("quick", 20, 40)
    assert protocol["left_out"] == ["corruptions: the images are no pictures"]
    assert document["threats"][0]["why"] == "as asked"
    assert document["verdict"].startswith("Checks: ")


def test_a_folder_that_comes_from_the_hub_may_lend_adversarials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees the data of the card's network; what a config.json says is not guessed."""
    monkeypatch.chdir(tmp_path)
    allow_code("two_tones")
    told = hub.Told(two_tones.MODEL, "0.5:0.25")
    monkeypatch.setattr(hub, "read_config", lambda _: told)
    zoo.from_hub(Path("lent"))
    two_tones.weights(Path("net.pt"), 0.5)
    said = Said(data=two_tones.SPEC, model=two_tones.MODEL, normalise="none")
    where = Where(Path("runs"), tmp_path, "cpu")
    (own,) = open_named("net.pt", where, said)
    alone, both = (_lent(each, own, None, where) for each in ("lent", f"lent+{own.path}"))
    assert (alone.config["data"], alone.config["asked_normalise"]) == (two_tones.SPEC, "0.5:0.25")
    assert [each["name"] for each in both.record["members"]] == [alone.name, own.name]


def test_where_other_corruptions_will_be_tried_it_is_looked_again(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What corrupting costs is measured only where images are corrupted here."""
    run = load_runs(runs)[0].path
    ask = Ask(run, threats_for(["linf=0.01"], Run.open(run).config["data"]), Where(runs))
    for corrupted, known in (("", 1), ("", 1), ("published", 2)):
        monkeypatch.setattr("robustbench_cli.referee.plan._corrupted", lambda *_, c=corrupted: c)
        Plan.make(ask)
        assert len(list(run.glob(".card-*.json"))) == known


@pytest.mark.usefixtures("short")
def test_a_second_card_does_nothing(runs: Path, ran: list[str]) -> None:
    examined(runs)
    assert sorted(each.partition(",")[0] for each in ran) == ATTACKS
    before = contents(Path())
    assert list(Run.open(load_runs(runs)[0].path).path.glob(".card-*.json"))
    ran.clear()
    examined(runs)
    assert ran == [] and contents(Path()) == before
    examined(runs, force=True)
    assert len(ran) == 4


@pytest.mark.usefixtures("short")
def test_what_cannot_be_done_is_named_and_the_rest_stays(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = AttackJob.run

    def run(job: AttackJob, *more: Any) -> Path:
        if "pgd" in job.config.attack:
            raise RunError("no\nluck")
        return attack(job, *more)

    monkeypatch.setattr(AttackJob, "run", run)
    document = examined(runs, source=None)
    assert document["protocol"]["left_out"] == [
        "transfer: no other network was given (--source RUN)",
        "corruptions: the images are no pictures",
        "PGD in linf: no luck",
    ]
    assert "PGD" not in {each["what"] for each in document["numbers"]}

    def fail(job: Job, *_: Any) -> Path:
        raise RunError("no luck")

    monkeypatch.setattr(AttackJob, "run", fail)
    with pytest.raises(RunError, match=r"no attack of the card was done: no luck"):
        examined(runs, source=None, force=True)


@pytest.mark.usefixtures("short")
def test_pictures_are_corrupted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    y = network(x).argmax(1)
    found = card(network, data=(x, y), norms={"linf": "0.1"}, output="it.html").document
    assert found["network"]["normalise"] == "none"
    mean = next(each for each in found["numbers"] if each["what"] == "corruptions")
    cells = [each["accuracy"] for each in found["corruptions"]]
    assert len(cells) == 14 * 5 and mean["accuracy"] == pytest.approx(sum(cells) / 70)
    assert mean["n"] == 20 and mean["low"] is None
    text = Path("it.html").read_text("utf-8")
    assert "Accuracy in % under common corruptions, made here" in text
    assert text.count("data:image/png") == 3 * 4, "clean, adversarial, difference"
    with pytest.raises(UsageError, match=r"at which epsilon\? no paper compares networks on"):
        card(network, data=(x, y))


@pytest.mark.usefixtures("short")
def test_findings_are_about_the_card_alone(runs: Path) -> None:
    one = load_runs(runs)[0]
    robustbench_cli.evaluate(one, attack="l2-fgm", epsilons="0.02")
    document = examined(runs, source=None)
    attacks = {attack for each in document["checks"] for attack in each["attacks"]}
    assert attacks and "l2-fgm" not in attacks


@pytest.mark.usefixtures("short")
def test_an_interrupted_card_goes_on_as_it_was_planned(
    runs: Path, ran: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, begun = examined(runs, force=True), contents(Path("out"))
    shutil.rmtree("out")
    shutil.rmtree(load_runs(runs)[0].path / "attacks")
    ran.clear()
    attack = AttackJob.run

    def run(job: AttackJob, *more: Any) -> Path:
        if "worst-case" in job.config.attack:
            raise KeyboardInterrupt
        return attack(job, *more)

    with monkeypatch.context() as patch:
        patch.setattr(AttackJob, "run", run)
        with pytest.raises(KeyboardInterrupt):
            examined(runs)
    assert not Path("out").exists() and len(ran) == 3
    monkeypatch.setattr("robustbench_cli.referee.plan.look", None)  # it is not looked again
    again = examined(runs)
    assert len(ran) == 4, "the three that were done stayed"
    assert contents(Path("out")).keys() == begun.keys()
    for document in (whole, again):  # times are never the same
        for entry in (document, document["protocol"], *document["numbers"]):
            for key in ("made", "spent_seconds", "seconds"):
                entry.pop(key, None)
    assert again == whole


def test_a_budget_decides_and_is_told(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def choose(cost: Any, of: int, **asked: Any) -> tuple[Level, int]:
        seen.update(asked, of=of, costs=[cost(level, of) for level in LEVELS])
        return SHORT, 20

    monkeypatch.setattr("robustbench_cli.referee.plan.choose", choose)
    told = examined(runs, minutes=3, source=None)["protocol"]
    assert (seen["seconds"], seen["samples"], seen["of"]) == (180, None, 40)
    assert seen["costs"] == sorted(seen["costs"]) and seen["costs"][0] > 0
    assert told["minutes"] == 3 and told["expected_seconds"] <= told["full_seconds"]
    assert told["full_seconds"] == round(seen["costs"][-1], 1)
    assert told["weaker"][0] == "PGD (steps=2, restarts=1; full: steps=50, restarts=10)"
    sure = read_json(Path("out/card.json"))["certainty"]
    assert sure["half_width"] > sure["of_all"] > 0


def test_slips(runs: Path) -> None:
    with pytest.raises(UsageError, match=r"--samples 0: expected 1 or more"):
        examined(runs, samples=0)
    with pytest.raises(UsageError, match=r"--minutes nan: expected more than 0"):
        examined(runs, minutes=float("nan"))
    with pytest.raises(UsageError, match=r"nowhere: no such file or directory"):
        card("nowhere")
    for path in ("x.csv", "-"):
        with pytest.raises(UsageError, match=r"a card is FOLDER/, or FILE\.html with FILE\.json"):
            Files.named(Path(path), "")


@pytest.mark.parametrize(
    ("typed", "page", "document"),
    [
        (None, "cards/eps=8_255/card.html", "cards/eps=8_255/card.json"),
        ("out", "out/card.html", "out/card.json"),
        ("a.b", "a.b/card.html", "a.b/card.json"),
        ("x/it.html", "x/it.html", "x/it.json"),
        ("it.json", "it.html", "it.json"),
    ],
)
def test_where_it_goes(typed: str | None, page: str, document: str) -> None:
    found = Files.named(None if typed is None else Path(typed), "eps=8/255")
    assert found == Files(Path(page), Path(document))


def test_it_is_a_public_name() -> None:
    assert robustbench_cli.card is card
