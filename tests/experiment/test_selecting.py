"""``[select]`` as it is read: what it may say, and what must fit whoever wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment.plan import Experiment
from robustbench_cli.experiment.read import read_experiment
from robustbench_cli.jobs import Where

TRAIN = '[train]\nmethod = ["plain", "vib:beta={1e-4,1e-2}"]\nseed = [3, 5]\n'


def read(folder: Path, text: str) -> Experiment:
    path = folder / "choose.toml"
    path.write_text(text)
    return read_experiment(path, Where(folder / "runs"))


def test_what_competes_is_trained_and_attacked_on_validation_images(tmp_path: Path) -> None:
    found = read(tmp_path, TRAIN + '[select]\nattack = "linf-fgsm"\nsamples = 50\n')
    methods = [job.config.method for job in found.train]
    assert methods == ["vib:beta=0.0001"] * 2 + ["vib:beta=0.01"] * 2
    assert {job.config.split for job in found.attack} == {"validation"}
    assert {job.config.samples for job in found.attack} == {50}
    assert len(found.attack) == 4 and not found.transfer and not found.analyse


@pytest.mark.parametrize(("given", "seeds"), [("", (6, 7)), ("seeds = 3", (6, 7, 8))])
def test_champions_get_seeds_that_chose_nothing(
    tmp_path: Path, given: str, seeds: tuple[int, ...]
) -> None:
    found = read(tmp_path, f"{TRAIN}[select]\n{given}\n[[attack]]\n")
    assert found.select and found.select.seeds == seeds
    first, last = found.select.stand_ins()
    assert [(j.config.method, j.config.seed) for j in first.train] == [
        (method, seed) for method in ("plain", "vib:beta=0.0001") for seed in seeds
    ]
    assert {j.config.method for j in last.train} == {"plain", "vib:beta=0.01"}
    assert len(first.attack) == len(first.train)


def test_test_images_see_the_settings_only_for_their_optimism(tmp_path: Path) -> None:
    found = read(tmp_path, TRAIN + "[select]\noptimism = true\n")
    splits = [job.config.split for job in found.attack]
    assert splits == ["validation"] * 4 + ["test"] * 4


def test_clean_accuracy_needs_no_attack(tmp_path: Path) -> None:
    found = read(tmp_path, TRAIN + '[select]\nmeasure = "clean"\n')
    assert {tuple(map(str, job.config.epsilons)) for job in found.attack} == {("0",)}


def test_data_sets_have_attacks_of_their_own(tmp_path: Path) -> None:
    text = '[train]\ndata = ["digits", "spirals"]\nmodel = "mlp"\nmethod = "vib:beta={1,2}"\n'
    found = read(tmp_path, text + "[select]\n")
    usual = {job.target.name.partition("-")[0]: job.config.epsilons[-1] for job in found.attack}
    assert set(usual) == {"digits", "spirals"}


def test_a_grid_in_braces_is_a_list(tmp_path: Path) -> None:
    one, other = (
        read(tmp_path, f"[train]\nmethod = {methods}\nmodel = {models}\n[[attack]]\n")
        for methods, models in (
            ('"{plain,mixup:alpha={0.2,0.4}}"', '"mlp:width={16,32}"'),
            (
                '["plain", "mixup:alpha=0.2", "mixup:alpha=0.4"]',
                '["mlp:width=16", "mlp:width=32"]',
            ),
        )
    )
    assert one.train == other.train and len(one.train) == 6


def test_attacks_defences_and_analyses_take_grids(tmp_path: Path) -> None:
    text = """
        [[attack]]
        attack = "linf-pgd:steps={2,3}"
        defence = "smoothing:sigma={0.1,0.2}"
        [[analyse]]
        analysis = "church-window:eps={0.1,0.2}"
        [report]
        figures = "scatter:eps={0.1,0.2}"
    """
    found = read(tmp_path, text)
    assert len(found.attack) == 4 and len(found.analyse) == 2 and len(found.report.figures) == 2


def test_a_transfer_may_name_a_family(tmp_path: Path) -> None:
    transfer = '[[transfer]]\nsource = "vib"\ntarget = "plain"\nattack = "linf-fgsm"\neps = "0.1"\n'
    assert len(read(tmp_path, TRAIN + transfer).transfer) == 2 * 2, "all settings without a choice"
    found = read(tmp_path, f"{TRAIN}[select]\n{transfer}")
    assert found.select
    assert [len(each.transfer) for each in found.select.stand_ins()] == [2, 2]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("mesure = 'area'", "[select] has no 'mesure'; did you mean 'measure'?"),
        ("measure = 'robust'", "[select] measure is one of accuracy, clean, area, half; got"),
        ("measure = 'accuracy'", 'measure accuracy is at one epsilon: write eps = "0.1"'),
        ("measure = 'accuracy'\neps = '0.1,0.2'", "measure accuracy is at one epsilon"),
        ("measure = 'area'\neps = '0.1'", "measure area needs three epsilons or more"),
        ("measure = 'half'\neps = '0,0.1'", "measure half needs three epsilons or more"),
        ("measure = 'clean'\neps = '0.1'", "measure clean is at no epsilon"),
        ("attack = ['linf-pgd', 'linf-fgsm']", "[select] compares by one attack and one defence"),
        ("attack = 'linf-pgd:steps={2,3}'", "[select] compares by one attack and one defence"),
        ("attack = 'linf-pdg'", "did you mean 'linf-pgd'?"),
        ("samples = '3'", "[select] samples must be int; got '3'"),
        ("seeds = 0", "[select] seeds 0: expected 1 to 10000"),
        ("optimism = 1", "[select] optimism must be bool; got 1"),
        ("[[select]]", "select is a section: write [select] once"),
        ("[[attack]]\nattack = 'linf-pdg'", "did you mean 'linf-pgd'?"),
        ("[[transfer]]\nsource = 'vib:beta=1e-4'", "source: no run of vib:beta=0.0001; there are"),
        ("[[transfer]]\nsource = 'vib:beta=1e-2'", "source: no run of vib:beta=0.01; there are"),
    ],
)
def test_a_slip_gets_one_line_before_anything_is_trained(
    tmp_path: Path, section: str, message: str
) -> None:
    text = section if section.startswith("[[select]]") else f"[select]\n{section}"
    with pytest.raises(UsageError) as refusal:
        read(tmp_path, TRAIN + text)
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


def test_nothing_to_choose_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to choose: no method has two settings"):
        read(tmp_path, '[train]\nmethod = ["plain", "vib"]\n[select]\n')
    with pytest.raises(UsageError, match="needs held-out images"):
        read(tmp_path, f"{TRAIN}validation = 0.0\n[select]\n")
