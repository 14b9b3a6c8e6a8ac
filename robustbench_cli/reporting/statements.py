"""What others say, to be held against runs: published numbers, and claims.

Read from a TOML file, or from the same as a dictionary; see `read_statements`. A list in a section
stands for a statement each. Accuracies and differences of accuracies are written in percent, as
papers print them, and kept as shares; so is a margin of cost.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import UsageError
from robustbench_cli.spec import refuse_unknown

Measure = Literal["accuracy", "clean", "area", "cost", "validation-loss", "number"]
"""Accuracy at an epsilon, or of unchanged images; the area under the decay curve as a share of its
range; seconds of training; cross-entropy of held-out images, in nats; a number of an analysis."""
PLAIN: tuple[Measure, ...] = ("number", "validation-loss")
"""Neither a share of images nor seconds: kept as printed, margins too."""
Relation = Literal["better", "equal", "stronger"]
MOST = 200  # claims that are judged together; the draws of a bootstrap have no finer tails

_ABOUT = {"attack", "eps", "measure", "analysis", "number", "by", "view", "text", "source"}
_PUBLISHED = {"method", "value", *_ABOUT}
_CLAIM = {"better", "equal", "stronger", "than", "margin", "within", "method", "lower", *_ABOUT}


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a number is of. `by`: the setting that names groups, as in ``report --by``.

    `analysis`, `number`: a spec, and the name that its table gives the number.
    """

    measure: Measure
    eps: Eps | None = None
    attack: str | None = None
    analysis: str | None = None
    number: str | None = None
    by: str = "method"
    view: str | None = None
    text: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Published(Statement):
    """A printed number: a share, seconds, nats, or as the analysis's table prints it."""

    method: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Claim(Statement):
    """That one is better than another, or as good, or an attack stronger than another.

    `first` and `second` name groups, or, of a stronger attack, attacks on the group `method`. What
    is better has more accuracy, or costs less; a stronger attack leaves less. `margin`: by how much
    at least, or, of equals, at most: a share of images, or of the cost of the cheaper one, or in
    nats, or in the unit in which the table of an analysis prints its number. `lower`: such a number
    is better where it is lower, as losses are.
    """

    relation: Relation
    first: str
    second: str
    margin: float = 0.0
    method: str | None = None
    lower: bool = False

    @property
    def region(self) -> tuple[float, float]:
        """Where the difference lies if the claim is true; both ends are outside."""
        if self.relation == "equal":
            return -self.margin, self.margin
        return self.margin, float("inf")


@dataclass(frozen=True)
class Statements:
    """All of a file, in its order."""

    published: tuple[Published, ...] = ()
    claims: tuple[Claim, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.published or self.claims)


Given = Statements | Mapping[str, Any] | str | Path


def read_statements(given: Given, by: str = "method") -> Statements:
    """``[[published]]`` and ``[[claim]]`` of a file or of a dictionary; other sections are let be.

    Raises:
        UsageError: no such file, no statement in it, or one that makes no sense.
    """
    if isinstance(given, Statements):
        return given
    if isinstance(given, Mapping):
        return _statements(given, by)
    try:
        document = tomllib.loads(Path(given).read_text("utf-8"))
    except OSError as e:
        raise UsageError(f"cannot read {given}: {e.strerror or e}") from e
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{given} is no TOML: {e}") from e
    try:
        found = _statements(document, by)
    except UsageError as e:
        raise UsageError(f"{given}: {e}") from e
    if not found:
        raise UsageError(f"{given} has no [[claim]] and no [[published]]")
    return found


def _statements(document: Mapping[str, Any], by: str) -> Statements:
    published = [
        each
        for section, where in _sections(document, "published")
        for each in _published(section, where, by)
    ]
    claims = [
        each
        for section, where in _sections(document, "claim")
        for each in _claims(section, where, by)
    ]
    if len(claims) > MOST:
        raise UsageError(f"{len(claims)} claims in one file: at most {MOST} are judged together")
    return Statements(tuple(published), tuple(claims))


def _sections(document: Mapping[str, Any], name: str) -> list[tuple[Mapping[str, Any], str]]:
    """With what messages call them."""
    listed = document.get(name, [])
    listed = [listed] if isinstance(listed, Mapping) else listed
    if not isinstance(listed, list) or not all(isinstance(each, Mapping) for each in listed):
        raise UsageError(f"{name} is a list of sections: write [[{name}]]")
    many = len(listed) > 1
    return [(each, f"[[{name}]]" + f" {i}" * many) for i, each in enumerate(listed, 1)]


def _published(section: Mapping[str, Any], where: str, by: str) -> list[Published]:
    refuse_unknown(section, _PUBLISHED, where)
    method = _text(section, "method", where)
    if not method:
        raise UsageError(f'{where} needs the group that it is of: method = "plain"')
    if "value" not in section:
        raise UsageError(f"{where} needs a value, in percent (or seconds): value = 89.19")
    about = _about(section, where, by, stronger=False)
    values = section["value"] if isinstance(section["value"], list) else [section["value"]]
    if len(values) != len(about):
        raise UsageError(f"{where} has {len(values)} values for {len(about)} attacks and epsilons")
    return [
        Published(method=method, value=_number(value, each["measure"], f"{where} value"), **each)
        for value, each in zip(values, about, strict=True)
    ]


def _claims(section: Mapping[str, Any], where: str, by: str) -> list[Claim]:
    refuse_unknown(section, _CLAIM, where)
    given = [relation for relation in get_args(Relation) if relation in section]
    if len(given) != 1:
        raise UsageError(f'{where} needs one of better = "A", stronger = "ATTACK", equal = [A, B]')
    relation: Relation = given[0]
    pairs = _equals(section, where) if relation == "equal" else _pairs(section, relation, where)
    margin, other = ("within", "margin") if relation == "equal" else ("margin", "within")
    if other in section:
        raise UsageError(f"{where}: {other} does not go with {relation}; write {margin} = 2")
    if relation == "equal" and "within" not in section:
        raise UsageError(f"{where} needs what still counts as equal, in points: within = 2")
    lower = section.get("lower", False)
    if not isinstance(lower, bool) or (lower and "number" not in section):
        raise UsageError(f"{where}: lower = true says which numbers of an analysis are better")
    stronger = relation == "stronger"
    method = _text(section, "method", where) or None
    if stronger != bool(method):
        why = "needs the group under attack" if stronger else "names its groups without method"
        raise UsageError(f'{where} {why}: stronger = "ATTACK", than = "ATTACK", method = "plain"')
    return [
        Claim(
            relation=relation,
            first=first,
            second=second,
            method=method,
            lower=lower or each["measure"] == "validation-loss",
            margin=_number(section.get(margin, 0), each["measure"], f"{where} {margin}", gap=True),
            **each,
        )
        for (first, second), each in product(pairs, _about(section, where, by, stronger=stronger))
    ]


def _pairs(section: Mapping[str, Any], relation: str, where: str) -> list[tuple[str, str]]:
    first, others = _text(section, relation, where), _texts(section, "than", where)
    if not first or not others:
        raise UsageError(f'{where} needs both sides: {relation} = "A", than = "B"')
    return [(first, other) for other in others]


def _equals(section: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    both = _texts(section, "equal", where)
    if len(both) != 2 or "than" in section:
        raise UsageError(f'{where} equal names two groups: equal = ["A", "B"], within = 2')
    return [(both[0], both[1])]


def _about(
    section: Mapping[str, Any], where: str, by: str, *, stronger: bool
) -> list[dict[str, Any]]:
    """The fields of `Statement`, for each attack and epsilon."""
    if not isinstance(section.get("by", ""), str):
        raise UsageError(f"{where} by is a setting, as in report --by; an amount is: margin = 30")
    epsilons: list[Eps | None] = [Eps.parse(text) for text in _texts(section, "eps", where)]
    attacks: list[str | None] = [*_texts(section, "attack", where)] or [None]
    analysis, number = (_text(section, key, where) or None for key in ("analysis", "number"))
    attacked = bool(epsilons or stronger) or attacks != [None]
    if (analysis or number) and (attacked or not (analysis and number)):
        raise UsageError(
            f"{where}: a number of an analysis is named without attack: "
            'analysis = "margin", number = "mean"'
        )
    usual = "number" if number else "accuracy" if epsilons else ""
    measure = _text(section, "measure", where) or usual
    if measure not in get_args(Measure):
        listing = ", ".join(name for name in get_args(Measure) if name != "number")
        raise UsageError(f'{where} needs eps = "8/255", or a measure, one of {listing}')
    if (measure == "accuracy") != bool(epsilons):
        raise UsageError(f"{where}: an accuracy needs an eps, and only an accuracy has one")
    if stronger and (measure not in ("accuracy", "area") or attacks != [None]):
        raise UsageError(f"{where}: two attacks are compared at an eps or by area, without attack")
    if not stronger and measure in ("accuracy", "area") and attacks == [None]:
        raise UsageError(f'{where}: which attack? attack = "linf-pgd"')
    if (measure == "number") != bool(number):
        raise UsageError(f"{where}: a number of an analysis needs no measure, and names itself")
    if measure in ("cost", "validation-loss") and attacks != [None]:
        raise UsageError(f"{where}: {measure} is that of training, without attack")
    view = _text(section, "view", where) or None
    if view not in (None, "deployed", "bare"):
        raise UsageError(f"{where} view is one of deployed, bare; got {view!r}")
    shared = {
        **{key: _text(section, key, where) for key in ("text", "source")},
        **{"analysis": analysis, "number": number},
        "by": section.get("by") or by,
        "view": view,
    }
    found: list[dict[str, Any]] = []
    for attack, eps in product(attacks, epsilons or [None]):
        clean = eps is not None and not eps.value
        of = {"measure": "clean", "eps": None} if clean else {"measure": measure, "eps": eps}
        found.append({"attack": attack, **of, **shared})
    return found


def _text(section: Mapping[str, Any], key: str, where: str) -> str:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{where} {key} must be text; got {value!r}")
    return value.strip()


def _texts(section: Mapping[str, Any], key: str, where: str) -> list[str]:
    given = section.get(key, [])
    listed = given if isinstance(given, list) else [given]
    kinds = (str, int, float) if key == "eps" else str
    if not all(isinstance(each, kinds) and not isinstance(each, bool) for each in listed):
        raise UsageError(f"{where} {key} must be text, or a list of texts; got {given!r}")
    return [str(each).strip() for each in listed if str(each).strip()]


def _number(value: object, measure: str, where: str, *, gap: bool = False) -> float:
    """Percent as a share; seconds as they are. A share that was meant as such is refused."""
    bare = value.strip().removesuffix("%") if isinstance(value, str) else value
    try:
        number = float(bare) if isinstance(bare, (str, int, float)) else float("nan")
    except (ValueError, OverflowError):
        number = float("nan")
    if isinstance(value, bool) or not isfinite(number) or number < 0:
        raise UsageError(f"{where} must be a number from 0 on, such as 89.19; got {value!r}")
    if measure in PLAIN or (measure == "cost" and not gap):
        return number
    if number > 100 and measure != "cost":
        raise UsageError(f"{where} {value!r} is more than 100 percent")
    if 0 < number < 1 and not isinstance(value, str):
        raise UsageError(
            f"{where} {value!r}: percent are meant, so write {100 * number:g}, "
            f'or "{number:g}%" for less than one'
        )
    return number / 100
