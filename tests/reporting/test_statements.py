"""What others say, as they may write it; and every slip in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.statements import read_statements


def test_lists_of_epsilons_and_values_go_together() -> None:
    section = {"method": "plain", "attack": "linf-fgsm", "source": "table 1"}
    section |= {"eps": [0, "2/255", 0.1], "value": [89.19, "0.4%", 100]}
    found = read_statements({"published": [section]}, by="model").published
    assert [(p.measure, p.eps, p.value) for p in found] == [
        ("clean", None, pytest.approx(0.8919)),
        ("accuracy", Eps.parse("2/255"), pytest.approx(0.004)),
        ("accuracy", Eps.parse("0.1"), 1.0),
    ]
    assert {(p.method, p.attack, p.source, p.by) for p in found} == {
        ("plain", "linf-fgsm", "table 1", "model")
    }


def test_a_claim_stands_for_every_rival_attack_and_epsilon() -> None:
    section = {"better": "vib", "than": ["plain", "mixup"], "attack": ["linf-fgsm", "linf-pgd"]}
    found = read_statements({"claim": [{**section, "eps": ["0.1", "0.2"], "margin": 2}]}).claims
    assert len({(c.second, c.attack, c.eps) for c in found}) == len(found) == 8
    assert {c.region for c in found} == {(0.02, float("inf"))}


def test_relations_say_where_a_difference_lies() -> None:
    cost = {"better": "plain", "than": "vib", "measure": "cost", "margin": 130}
    equal = {"equal": ["plain", "vib"], "within": 1.5, "measure": "clean"}
    stronger = {"stronger": "linf-pgd", "than": "linf-fgsm", "method": "plain", "eps": "0.1"}
    found = read_statements({"claim": [cost, equal, stronger]}).claims
    assert [(c.relation, c.first, c.second, c.region) for c in found] == [
        ("better", "plain", "vib", (1.3, float("inf"))),
        ("equal", "plain", "vib", (-0.015, 0.015)),
        ("stronger", "linf-pgd", "linf-fgsm", (0.0, float("inf"))),
    ]


def test_a_file_may_hold_more_than_statements(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    text = '[train]\nmethod = "plain"\n'
    path.write_text(text)
    with pytest.raises(UsageError, match=r"experiment.toml has no \[\[claim\]\]"):
        read_statements(path)
    path.write_text(text + '[[claim]]\nbetter = "vib"\nthan = "plain"\nmeasure = "clean"\n')
    assert len(read_statements(path).claims) == 1


CLAIM = {"better": "vib", "than": "plain", "attack": "linf-pgd", "eps": "0.1"}
CLEAN = {"better": "vib", "than": "plain", "measure": "clean"}
NUMBER = {"method": "plain", "measure": "clean", "value": 90}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({**CLAIM, "then": "x"}, "[[claim]] has no 'then'; did you mean 'than'?"),
        ({**CLAIM, "by": 5}, "by is a setting, as in report --by; an amount is: margin = 30"),
        ({**CLAIM, "attack": ""}, 'which attack? attack = "linf-pgd"'),
        ({**CLAIM, "eps": []}, 'needs eps = "8/255", or a measure, one of accuracy, clean'),
        ({**CLAIM, "measure": "area"}, "an accuracy needs an eps, and only an accuracy has one"),
        ({**CLAIM, "eps": True}, "eps must be text, or a list of texts; got True"),
        ({**CLAIM, "view": "naked"}, "view is one of deployed, bare; got 'naked'"),
        ({**CLAIM, "within": 2}, "within does not go with better; write margin = 2"),
        ({**CLAIM, "margin": 0.05}, '0.05: percent are meant, so write 5, or "0.05%"'),
        ({**CLAIM, "margin": -2}, "margin must be a number from 0 on, such as 89.19; got -2"),
        ({**CLAIM, "margin": 101}, "margin 101 is more than 100 percent"),
        ({**CLAIM, "text": 5}, "text must be text; got 5"),
        ({**CLAIM, "equal": ["a", "b"]}, 'needs one of better = "A", stronger'),
        ({"better": "vib"}, 'needs both sides: better = "A", than = "B"'),
        ({**CLAIM, "method": "plain"}, "names its groups without method"),
        ({"equal": ["a"], "within": 1}, 'equal names two groups: equal = ["A", "B"], within = 2'),
        ({"equal": ["a", "b"], "measure": "clean"}, "needs what still counts as equal"),
        ({"stronger": "x", "than": "y", "eps": 0.1}, "needs the group under attack"),
        (
            {"stronger": "x", "than": "y", "method": "plain", "measure": "cost"},
            "two attacks are compared at an eps or by area, without attack",
        ),
        ({**CLEAN, "measure": "cost", "attack": "x"}, "cost is that of training, without attack"),
        (
            {**CLEAN, "measure": "validation-loss", "attack": "x"},
            "validation-loss is that of training, without attack",
        ),
        ({**CLEAN, "measure": "speed"}, "a measure, one of accuracy, clean, area, cost"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_slip_in_a_claim(section: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_statements({"claim": section})
    assert message in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({**NUMBER, "method": ""}, 'needs the group that it is of: method = "plain"'),
        ({"method": "plain", "measure": "clean"}, "needs a value, in percent (or seconds)"),
        ({**NUMBER, "value": [90, 91]}, "has 2 values for 1 attacks and epsilons"),
        ({**NUMBER, "value": 0.9}, 'value 0.9: percent are meant, so write 90, or "0.9%"'),
        ({**NUMBER, "value": "much"}, "value must be a number from 0 on"),
        ({**NUMBER, "value": True}, "value must be a number from 0 on"),
        ({**NUMBER, "value": float("nan")}, "value must be a number from 0 on"),
        ({**NUMBER, "value": 10**400}, "value must be a number from 0 on"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_slip_in_a_published_number(section: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_statements({"published": [section, section]})
    assert message in str(refusal.value) and "[[published]] 1" in str(refusal.value)


def test_a_list_of_sections_is_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"claim is a list of sections: write \[\[claim\]\]"):
        read_statements({"claim": 5})
    with pytest.raises(UsageError, match="201 claims in one file: at most 200"):
        read_statements({"claim": [CLEAN] * 201})
    for name, content in (("none.toml", None), ("broken.toml", "a = ")):
        if content:
            (tmp_path / name).write_text(content)
        with pytest.raises(UsageError, match=r"cannot read|is no TOML"):
            read_statements(tmp_path / name)
