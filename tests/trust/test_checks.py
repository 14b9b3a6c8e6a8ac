"""Each check has a planted fault that makes it fire, and is silent on honest evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fake_runs import draw, make_evaluation

from robustbench_cli.epsilon import Eps
from robustbench_cli.runs.evaluation import Evaluation
from robustbench_cli.spec import build, names
from robustbench_cli.trust.check import Check, Evidence, Finding, examine, verdict

FACTS = {"classes": [str(c) for c in range(10)]}
DISTANCES = draw(0.95, 0.2, n=400)


def evaluation(
    attack: str, distances: Any = DISTANCES, norm: str = "linf", **record: Any
) -> Evaluation:
    settings = {"kind": "budget", "one_step": False, "access": "gradient", "schedule": "ascending"}
    return make_evaluation(distances, attack, norm, **{**settings, **record})


def fgsm(distances: Any = DISTANCES * 1.2) -> Evaluation:
    return evaluation("linf-fgsm", distances, one_step=True, schedule="independent")


def pgd(distances: Any = DISTANCES, **parameters: Any) -> Evaluation:
    given = {"steps": 40, "step-size": None, **parameters}
    return evaluation("linf-pgd", distances, parameters=given)


def noise(distances: Any = DISTANCES * 3) -> Evaluation:
    return evaluation("linf-noise", distances, access="none")


def levels(name: str, *evaluations: Evaluation, method: str = "plain") -> list[str]:
    found = build(Check, name).look(Evidence({"method": method}, FACTS, evaluations))
    return [finding.level for finding in found]


def rising() -> Evaluation:
    """A raw curve on which everything broken up to 0.3 is right again at 0.4."""
    raw = fgsm()
    again = raw.samples["eps"] == "0.4"
    raw.samples.loc[again, "prediction"] = raw.samples.loc[again, "clean"]
    return raw


def collapsed() -> Evaluation:
    made = pgd()
    made.samples["clean"] = 3
    return made


def moved() -> Evaluation:
    """Something else than the clean prediction at eps 0."""
    made = pgd()
    zero = made.samples["eps"] == "0"
    made.samples.loc[zero, "prediction"] = made.samples.loc[zero, "label"]
    return made


def audited(*raw: str) -> Evaluation:
    """A smooth table, and raw verdicts on ten of its samples that rise with epsilon."""
    texts = zip(("0", "0.1", "0.2", "0.3", "0.4", "0.5"), raw, strict=True)
    epsilons = [{"eps": eps, "right": right} for eps, right in texts]
    return evaluation("linf-pgd", audit={"samples": list(range(12)), "epsilons": epsilons})


ENTRY = {"index": 3, "eps": "0.1", "reason": "outside the ball: linf distance 0.2"}
FAULTS = {
    "rising-curve": (rising(),),
    "one-step-beats-iterative": (fgsm(DISTANCES * 0.7), pgd()),
    "black-box-beats-white-box": (noise(DISTANCES * 0.7), pgd(), fgsm()),
    "cannot-cross-ball": (pgd(**{"step-size": 0.01}),),
    "near-chance": (collapsed(),),
    "failed-samples": (evaluation("l2-boundary", failed=[{"index": 3, "reason": "no start"}]),),
    "rejected-adversarials": (evaluation("linf-pgd", rejected=[ENTRY]),),
    "sample-size": (evaluation("linf-pgd", truncated=True),),
    "near-duplicates": (pgd(), evaluation("linf-bim")),
    "norms-mixed": (fgsm(), evaluation("l2-boundary", DISTANCES * 4, "l2", kind="minimal")),
    "unbounded-epsilon": (pgd(DISTANCES * 3),),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_makes_the_check_fire(name: str) -> None:
    assert set(levels(name, *FAULTS[name])) & {"warning", "failure"}


@pytest.mark.parametrize(
    ("broken", "again", "level"), [(60, 4, "failure"), (20, 4, "warning"), (20, 16, "pass")]
)
def test_leaps_that_break_more_than_twice_the_steps(broken: int, again: int, level: str) -> None:
    """In points of the accuracy of a thousand images: 5.6, 1.6, and 0.4, which is haste."""
    seen = {"eps": "0.1", "tried": 64, "n": 1000}
    signals = {
        "convergence": {**seen, "attack": "linf-pgd:steps=80", "broken": again},
        "leaps": {**seen, "attack": "linf-fab", "broken": broken},
    }
    made = evaluation("linf-pgd", signals=signals)
    assert levels("leaps-beat-steps", made) == [level]


def test_the_curve_of_the_audit_may_not_rise_either() -> None:
    most, none = "1" * 12, "0" * 12
    assert levels("rising-curve", audited(most, most, none, none, most, most)) == ["warning"]
    assert levels("rising-curve", audited(most, most, most, none, none, none)) == ["pass"]
    assert levels("rising-curve", audited(*[most] * 6)) == ["pass"]


def test_at_eps_0_nothing_is_attacked() -> None:
    assert levels("rising-curve", moved()) == ["failure"]
    assert levels("rising-curve", pgd()) == []


def test_a_whole_test_set_is_never_too_small() -> None:
    assert levels("sample-size", evaluation("linf-pgd", truncated=False)) == ["pass"]
    assert levels("sample-size", evaluation("linf-pgd")) == []


def test_transfers_that_break_more_are_black_boxes() -> None:
    stronger = evaluation("linf-pgd", DISTANCES * 0.7, source="plain-s1", target="this")
    evidence = Evidence({}, FACTS, [pgd()], transfers=[stronger])
    (finding,) = build(Check, "black-box-beats-white-box").look(evidence)
    assert finding.level == "failure" and "from plain-s1" in finding.text


def test_epsilons_of_two_norms_may_share_a_number() -> None:
    """As usual ranges do: 0.5 is in both."""
    own = make_evaluation(DISTANCES * 4, "l2-pgd", "l2", "0:5:0.5")
    assert levels("norms-mixed", pgd(), own) == ["pass"]


def test_norms_that_a_table_does_not_show_together_are_not_mixed() -> None:
    evaluations = fgsm(), evaluation("l2-boundary", DISTANCES * 4, "l2", kind="minimal")
    evidence = Evidence({}, FACTS, evaluations, shown={evaluations[0].file_name})
    assert not list(build(Check, "norms-mixed").look(evidence))


@pytest.mark.parametrize(
    ("validation", "level"), [(0.99, "warning"), (0.96, "pass"), (0.9, "pass")]
)
def test_the_accuracy_of_the_training_must_be_reproduced(validation: float, level: str) -> None:
    facts = {**FACTS, "train_size": 18_000}
    evidence = Evidence({"validation": 0.1}, facts, [pgd()], validation=validation)
    (finding,) = build(Check, "stored-accuracy").look(evidence)
    assert finding.level == level


FAST = {"method": "fast-at", "method_resolved": "mixup:alpha=1+fast-at:eps=0.3", "stop_on": None}
FOOLED = pgd(DISTANCES * 0.3), fgsm(DISTANCES * 4)


def overfitting(config: dict[str, Any], *seen: Evaluation, **ended: float) -> list[Finding]:
    evidence = Evidence({**FAST, **config}, FACTS, seen, ended=ended)
    return list(build(Check, "catastrophic-overfitting").look(evidence))


def test_one_step_training_that_fools_one_step_attacks_alone() -> None:
    (finding,) = overfitting({}, *FOOLED)
    assert finding.level == "failure" and "fast-at:eps=0.3 overfitted" in finding.text
    assert "at eps 0.2" in finding.text and "--stop-on" in finding.remedy
    for method in ("fgsm-at:eps=0.3", "free-at:eps=0.3+vib", "pgd-at:steps=1,eps=0.3"):
        assert [f.level for f in overfitting({"method_resolved": method}, *FOOLED)] == ["failure"]


@pytest.mark.parametrize("method", ["plain", "pgd-at:eps=0.3", "pgd-at:steps=1,eps=0.3,norm=l2"])
def test_others_cannot_overfit_to_one_step(method: str) -> None:
    assert overfitting({"method_resolved": method}, *FOOLED) == []


def test_one_step_is_always_less_and_beyond_the_radius_of_training_much_less() -> None:
    honest = pgd(DISTANCES * 2), fgsm(DISTANCES * 2.4)
    assert [f.level for f in overfitting({}, *honest)] == ["pass"]
    small = {"method_resolved": "fast-at:eps=0.05"}
    assert overfitting(small, *FOOLED) == []
    assert overfitting({}, fgsm(DISTANCES * 4)) == []


def test_a_network_that_has_learned_little_is_not_called_overfitted() -> None:
    """As after two epochs of fast-at on a fifth of MNIST, at eps 0.3."""
    shares = np.arange(400) / 400
    one = fgsm(np.select([shares < 0.31, shares < 0.59], [9.0, 0.1], 0.0))
    many = pgd(np.select([shares < 0.02, shares < 0.59], [9.0, 0.1], 0.0))
    assert [f.level for f in overfitting({}, one, many)] == ["pass"]


def test_a_history_can_show_it_where_no_iterative_attack_does() -> None:
    kept = {"method_resolved": "fast-at:eps=0.3,guard=warn"}
    bad = {"validation": 0.95, "fgsm": 0.9, "pgd": 0.02, "collapsed": 1.0}
    (finding,) = overfitting(kept, fgsm(), **bad)
    assert finding.level == "failure" and "2.0% under PGD-5" in finding.text
    assert overfitting({}, fgsm(), **bad) == []  # the last good epoch's weights came back
    assert len(overfitting({}, fgsm(), **{**bad, "collapsed": 0.0})) == 1
    assert overfitting({**kept, "stop_on": "linf-pgd"}, fgsm(), **bad) == []  # another was kept
    assert overfitting(kept, fgsm(), **{**bad, "pgd": 0.5}) == []


def seen_images(train: int, validation: int, stop_on: str | None = None) -> list[Finding]:
    counted = {"size": 400, "train": train, "validation": validation}
    facts = {**FACTS, "test_images": counted}
    evidence = Evidence({"data": "folder:pictures", "stop_on": stop_on}, facts, [pgd()])
    return list(build(Check, "seen-test-images").look(evidence))


def test_attacked_images_must_not_be_those_of_the_training() -> None:
    (finding,) = seen_images(40, 0)
    assert finding.level == "failure" and "40 of 400 test images" in finding.text
    assert "folder:pictures" in finding.remedy
    assert [f.level for f in seen_images(1, 0)] == ["pass"]


def test_attacked_images_must_not_have_chosen_the_epoch() -> None:
    (finding,) = seen_images(0, 40, "linf-pgd:steps=10")
    assert finding.level == "failure" and "chose the epoch" in finding.text
    assert [f.level for f in seen_images(0, 40)] == ["pass"]  # nothing was chosen by them


# --- cases from publications, from what they record ---


def published(norm: str, attack: str, accuracies: dict[str, float], **record: Any) -> Evaluation:
    """A curve of 10,000 images; what is broken at one epsilon is chosen anew at the next."""
    n = 10_000
    made = evaluation(attack, np.full(n, 9.0), norm, **record)
    grid = tuple(Eps.parse(text) for text in accuracies)
    parts = []
    for text, accuracy in accuracies.items():
        part = made.samples[made.samples["eps"] == "0.1"].copy()
        part["eps"] = text
        broken = np.random.default_rng(len(parts)).permutation(n)[: round((1 - accuracy) * n)]
        wrong = (part["label"].to_numpy() + 1) % 10
        part["prediction"] = np.where(np.isin(np.arange(n), broken), wrong, part["label"])
        parts.append(part)
    return Evaluation(attack, norm, grid, pd.concat(parts, ignore_index=True), made.record)


def test_more_robust_at_a_larger_epsilon() -> None:
    """Attack success that falls as epsilon grows, as in DEEPSEC's tables (Carlini 2019, #9)."""
    raw = {"0.1": 0.40, "0.2": 0.48, "0.3": 0.55}
    curve = published("linf", "linf-fgsm", raw, one_step=True, schedule="independent")
    (finding,) = build(Check, "rising-curve").look(Evidence({}, FACTS, [curve]))
    assert finding.level == "warning" and "rises by 15" in finding.text


def test_pgd_10_above_fgsm() -> None:
    """Batchout, VGG19 on CIFAR-10 at 8/255: FGSM 37.62, PGD-10 55.06 (README of its code)."""
    one = published("linf", "linf-fgsm", {"8/255": 0.3762}, one_step=True, schedule="independent")
    ten = published("linf", "linf-pgd:steps=10", {"8/255": 0.5506})
    (finding,) = build(Check, "one-step-beats-iterative").look(Evidence({}, FACTS, [one, ten]))
    assert finding.level == "failure" and "17.4% more" in finding.text


def test_boundary_attack_in_l2_beside_fgsm_in_linf_at_equal_numbers() -> None:
    fgsm = published("linf", "linf-fgsm", {"0.1": 0.6, "0.2": 0.3, "0.3": 0.1}, one_step=True)
    walk = published("l2", "l2-boundary", {"0.1": 0.97, "0.2": 0.95, "0.3": 0.93}, kind="minimal")
    (finding,) = build(Check, "norms-mixed").look(Evidence({}, FACTS, [fgsm, walk]))
    assert finding.level == "warning" and "same 3 epsilons" in finding.text
    assert levels("black-box-beats-white-box", fgsm, walk) == []


def test_only_the_attack_of_its_own_training_is_not_enough() -> None:
    assert levels("training-attack-only", pgd(), fgsm(), method="mixup+pgd-at") == ["warning"]
    boundary = evaluation("l2-boundary", norm="l2", access="decision", kind="minimal")
    assert levels("training-attack-only", pgd(), boundary, method="pgd-at") == ["pass"]
    assert levels("training-attack-only", pgd(), method="plain") == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", names("checks"))
def test_honest_evidence_passes(name: str, seed: int) -> None:
    distances = draw(0.95, 0.2, n=400, seed=seed)
    honest = fgsm(distances * 1.2), pgd(distances), noise(distances * 3)
    assert set(levels(name, *honest)) <= {"pass"}


@pytest.mark.parametrize("name", names("checks"))
def test_no_evidence_no_finding(name: str) -> None:
    assert levels(name) == []


def guessed(*judged: tuple[str, float, float], seen: Evaluation, rival: bool = True) -> Finding:
    """`judged`: an epsilon, and the accuracy under the choice and under its rival there."""
    readings = [
        {
            "option": f"--normalise {name}",
            "right": 990,
            "of": 1000,
            "possible": name != "data" or rival,
        }
        for name in ("none", "data")
    ]
    attacks = [
        {"norm": "linf", "eps": eps, "attack": "linf-pgd:steps=10", "accuracy": [*accuracy]}
        for eps, *accuracy in judged
    ]
    guess = {"readings": readings, "judged": attacks}
    evidence = Evidence({"method": "plain"}, FACTS, [seen], guess=guess)
    (found,) = build(Check, "guessed-normalisation").look(evidence)
    return found


def test_a_guess_that_decides_the_number_fails() -> None:
    """400 images: half of Wilson's interval at 76.6 % is 4.1 points."""
    curve = [(f"0.{i}", 0.5, 0.5) for i in range(1, 6)]
    found = guessed(*curve[:2], ("0.3", 0.766, 0.114), *curve[3:], seen=pgd())
    assert found.level == "failure" and "at 0.3 leaves 76.6%, and 11.4% under" in found.text
    assert "--normalise none, or --normalise data" in found.remedy
    assert guessed(*curve[:2], ("0.3", 0.766, 0.74), *curve[3:], seen=pgd()).level == "pass"


def test_a_guess_is_not_vouched_for_where_nobody_looked() -> None:
    assert guessed(("0.1", 0.5, 0.5), seen=pgd()).level == "warning"
    curve = [(f"0.{i}", 0.5, 0.5) for i in range(1, 6)]
    assert guessed(*curve, seen=pgd()).level == "pass"
    blind = evaluation("linf-square", access="scores")
    assert guessed(*curve, seen=blind).level == "warning", "gradients may be hidden"
    assert guessed(seen=blind, rival=False).level == "pass", "nothing else was possible"


def test_a_guess_is_judged_for_each_evaluation_and_stands_apart_with_it() -> None:
    seen, curve = pgd(), [(f"0.{i}", 0.5, 0.5) for i in range(1, 6)]
    for judged in (curve, curve[:1], [("0.1", 0.8, 0.1)]):
        (about,) = guessed(*judged, seen=seen).of
        assert about is seen
    assert guessed(seen=seen, rival=False).of == (), "that is about the network"


def test_clean_accuracy_at_chance_fails() -> None:
    rng = np.random.default_rng(0)
    assert levels("near-chance", pgd(np.where(rng.random(400) < 0.1, 0.2, 0.0))) == ["failure"]


@pytest.mark.parametrize(
    ("classes", "accuracy", "level"),
    [(2, 0.55, "failure"), (2, 0.65, "pass"), (3, 0.5, "pass"), (100, 0.01, "failure")],
)
def test_near_chance_goes_by_the_number_of_classes(
    classes: int, accuracy: float, level: str
) -> None:
    right = np.arange(400) < 400 * accuracy
    facts = {"classes": [str(c) for c in range(classes)]}
    evidence = Evidence({"method": "plain"}, facts, [pgd(np.where(right, 0.2, 0.0))])
    (found,) = build(Check, "near-chance").look(evidence)
    assert found.level == level


def test_a_step_longer_than_the_smallest_ball_is_named() -> None:
    (finding,) = build(Check, "cannot-cross-ball").look(
        Evidence({}, FACTS, [pgd(steps=100, **{"step-size": 0.2})])
    )
    assert finding.level == "warning" and "longer than eps 0.1" in finding.text


def test_norms_are_never_compared() -> None:
    l2 = evaluation("l2-boundary", DISTANCES * 0.5, "l2", access="decision", kind="minimal")
    assert levels("black-box-beats-white-box", l2, pgd()) == []


def test_the_verdict_names_the_worst() -> None:
    evidence = Evidence({"method": "pgd-at"}, FACTS, [fgsm(DISTANCES * 0.7), pgd()])
    found = examine(evidence)
    assert found[0].level == "failure" and "do not trust" in verdict(found)
    assert verdict([Finding("x", "pass", "")]) == "Checks: 1 passed."
    assert "nothing to check" in verdict([])
