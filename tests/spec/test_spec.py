"""``name:key=value`` and the objects it stands for."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import MISSING
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.data.dataset import Dataset
from robustbench_cli.errors import UsageError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.models.model import Architecture
from robustbench_cli.models.own import open_architecture
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.spec import (
    ROOMS,
    allow_code,
    allowed_code,
    build,
    build_all,
    defaults,
    describe,
    find,
    names,
    number,
    parameters,
    read,
    shorten,
    split,
)
from robustbench_cli.training.method import Method
from robustbench_cli.training.methods.mixup import Mixup

BASES = {
    "methods": Method,
    "attacks": Attack,
    "models": Architecture,
    "datasets": Dataset,
    "figures": Figure,
}
EVERY = [(room, name) for room in BASES for name in names(room)]


@pytest.mark.parametrize(("room", "name"), EVERY, ids=["-".join(each) for each in EVERY])
def test_defaults_are_read_without_an_import(room: str, name: str) -> None:
    """What the file says, compared with the class; fields without `param` are told of nowhere."""
    own = parameters(find(BASES[room], name))
    declared = {f.name.replace("_", "-"): f.default for f in own if "about" in f.metadata}
    declared = {key: value for key, value in declared.items() if value is not MISSING}
    found = defaults(room, name)
    assert {key: found.get(key, declared[key]) for key in declared} == declared
    if room in ("methods", "models", "datasets"):
        assert found == declared


def test_a_spec_is_read_as_it_is_written() -> None:
    assert read("pgd-at:eps=8/255,random_start=true") == (
        "pgd-at",
        {"eps": "8/255", "random-start": "true"},
    )
    assert read(" batchout : size=0.3,-0.2 ") == ("batchout", {"size": "0.3,-0.2"})
    assert read("torchvision:resnet18") == ("torchvision", {"": "resnet18"})
    assert read("plain") == ("plain", {})


def test_a_spec_is_an_object_and_back() -> None:
    method = build(Method, "pgd-at:eps=8/255,steps=7")
    assert (method.name, method.eps, method.steps) == ("pgd-at", 8 / 255, 7)
    assert str(method) == "pgd-at:eps=8/255,steps=7"
    assert build(Method, " mixup : alpha = 0.4 ") == Mixup(alpha=0.4)


@pytest.mark.parametrize(("room", "name"), EVERY, ids=["-".join(each) for each in EVERY])
def test_every_plugin_is_found_by_the_name_of_its_file(room: str, name: str) -> None:
    about = describe(room, name)
    assert (about.endswith((".", ":", "?")) and about[0].isupper()) or about[0].isdigit(), about
    try:
        made = build(BASES[room], name)
    except UsageError as e:
        assert f"{name} needs a " in str(e) or "type: pip install " in str(e)
    else:
        assert build(BASES[room], str(made)) == made


def test_what_is_usual_is_not_written() -> None:
    assert str(build(Method, "mixup:alpha=1")) == "mixup"
    assert str(build(Method, "mixup:alpha=1e0,per-sample=true")) == "mixup:per-sample=true"


def test_a_plus_sign_joins_methods_only_before_a_name() -> None:
    assert split("mixup:alpha=1e+0+pgd-at") == ["mixup:alpha=1e+0", "pgd-at"]
    assert [m.name for m in build_all(Method, "als + sat+advprop")] == ["als", "sat", "advprop"]


def test_one_parameter_may_stand_without_its_name() -> None:
    named, bare = build(Architecture, "torchvision:network=vgg16"), "torchvision:vgg16"
    assert build(Architecture, bare) == named
    assert str(named) == bare


@pytest.mark.parametrize(
    ("base", "text", "message"),
    [
        (Method, "mixp", "no method named 'mixp'; did you mean 'mixup'?"),
        (Method, "xyzzy", "no method named 'xyzzy'; type: robustmix --list methods"),
        (Method, "", "no method named ''"),
        (Attack, "linf-pdg", "did you mean 'linf-pgd'?"),
        (Dataset, "minst", "did you mean 'mnist'?"),
        (Architecture, "lenet", "did you mean 'lenet5'?"),
        (Method, "mixup:alfa=1", "no parameter 'alfa'; did you mean 'alpha'? it has: alpha, per-"),
        (Method, "plain:alpha=1", "plain has no parameter 'alpha'; it has: none"),
        (Method, "mixup:alpha=x", "mixup: alpha must be a number; got 'x'"),
        (Method, "mixup:alpha=-1", "mixup: alpha=-1 is outside [0, inf]"),
        (Method, "mixup:alpha=1,alpha=2", "mixup: alpha is given twice"),
        (Method, "mixup:per-sample=yes", "mixup: per-sample must be true or false; got 'yes'"),
        (Method, "pgd-at:steps=2.5", "pgd-at: steps must be a whole number; got '2.5'"),
        (Method, "pgd-at:norm=l1", "pgd-at: norm is one of linf, l2; got 'l1'"),
        (Method, "pgd-at:steps=" + "9" * 5000, "pgd-at: steps must be a whole number"),
        (Dataset, "folder", "folder needs a path: folder:PATH"),
    ],
)
def test_a_slip_gets_one_line_that_says_what_to_type(
    base: type[Method], text: str, message: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        build(base, text)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


# --- classes of the user's own ---

OWN = """
from dataclasses import dataclass
from robustbench_cli import Method
from torch import nn

@dataclass(kw_only=True)
class Blur(Method):
    shift: int = 1

class Net(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.head = nn.Linear(4, num_classes)
    def forward(self, x):
        return self.head(x.flatten(1))

broken = 1
"""


@pytest.fixture
def my_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the working directory, new for each test."""
    name = f"lab_{tmp_path.name}".replace("-", "_").replace("[", "").replace("]", "")
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
    return name


def test_a_class_of_ones_own_is_named_by_its_import_path(my_lab: str) -> None:
    method = build(Method, f"{my_lab}:Blur:shift=2")
    assert method.shift == 2  # type: ignore[attr-defined]
    assert str(method) == f"{my_lab}:Blur:shift=2"
    assert [m.name for m in build_all(Method, f"mixup+{my_lab}:Blur+als")][1] == f"{my_lab}:Blur"
    assert str(open_architecture(f"{my_lab}:Net")) == f"{my_lab}:Net"


def test_a_file_may_name_code_only_if_the_user_vouched_for_its_module(my_lab: str) -> None:
    text = f"{my_lab}:Blur"
    with pytest.raises(UsageError, match=f"if you trust it: --allow-code {my_lab}"):
        build(Method, text, trusted=False)
    assert my_lab not in sys.modules, "refused before it was imported"
    with pytest.raises(UsageError, match="--allow-code"):
        open_architecture(f"{my_lab}:Net", trusted=False)
    allow_code(my_lab)
    assert build(Method, text, trusted=False).name == text
    assert allowed_code() == (my_lab,)


def test_what_the_user_types_vouches_for_its_module(my_lab: str) -> None:
    build(Method, f"{my_lab}:Blur")
    assert build(Method, f"{my_lab}:Blur", trusted=False) == build(Method, f"{my_lab}:Blur")


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("Blurr", "has no 'Blurr'"),
        ("broken", "is no method: it must be a class derived from Method"),
        ("Net", "is no method"),
    ],
)
def test_an_import_path_that_names_no_method(my_lab: str, attribute: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(Method, f"{my_lab}:{attribute}")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 +", "SyntaxError"),
        ("raise ValueError('no\\nluck')", "ValueError: no"),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(5)", "SystemExit"),
    ],
)
def test_a_module_that_cannot_be_imported(my_lab: str, code: str, message: str) -> None:
    Path(f"{my_lab}.py").write_text(code)
    with pytest.raises(UsageError, match=message):
        build(Method, f"{my_lab}:Blur")


def test_no_such_module() -> None:
    with pytest.raises(UsageError, match="no module named 'nowhere_at_all'"):
        build(Method, "nowhere_at_all:Blur")


# --- properties ---

NUMBERS = st.one_of(
    st.integers(0, 10**9).map(float),
    st.floats(0, 1000, allow_subnormal=False).filter(lambda x: x == 0 or x > 1e-60),
    st.builds(lambda k: k / 255, st.integers(0, 255)),
)


@given(NUMBERS)
def test_every_number_is_read_back_as_itself(value: float) -> None:
    assert float(number(shorten(value))) == value
    assert build(Method, f"mixup:alpha={shorten(value)}").alpha == value  # type: ignore[attr-defined]


@given(st.sampled_from(EVERY), st.data())
def test_specs_survive_the_round_trip(plugin: tuple[str, str], data: st.DataObject) -> None:
    room, name = plugin
    base = BASES[room]
    try:
        cls = type(build(base, name))
    except UsageError:  # it has a parameter that must be given
        return
    drawn = {}
    for field in parameters(cls):
        low, high = field.metadata.get("low"), field.metadata.get("high")
        if isinstance(field.default, bool):
            drawn[field.name] = data.draw(st.booleans())
        elif isinstance(field.default, int):
            drawn[field.name] = data.draw(st.integers(int(low or 0), int(high or 10**6)))
        elif isinstance(field.default, float):
            values = st.floats(low or 0, 1e3 if high is None else high)
            drawn[field.name] = data.draw(values.filter(lambda x: x == 0 or x > 1e-60))
    try:
        made = cls(**drawn)
    except UsageError:  # parameters that exclude each other
        return
    assert build(base, str(made)) == made


@given(st.text(max_size=40))
def test_arbitrary_text_is_a_number_or_a_usage_error(text: str) -> None:
    try:
        assert isinstance(number(text), Fraction)
    except UsageError as e:
        assert "\n" not in str(e).replace(text.strip(), "")


@given(st.text(alphabet="mixup-at:=,+/.0123456789e \n\x00é٣²", max_size=60))
def test_arbitrary_text_is_methods_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        build_all(Method, f"mixup:{text}")


@pytest.mark.parametrize(
    "text",
    [
        "1e999999999",
        "1e-999999999",
        "9" * 10_000_000,
        "0." + "1" * 1_000_000,
        "1/0",
        "1/000",
        "1/",
        "/2",
        "1/2/3",
        "٣",  # a digit, but not one of ours
        "1_000",
        "0x10",
        "inf",
        "nan",
        "--1",
        "1e",
        ".",
        "",
        "8/255 8/255",
    ],
    ids=lambda text: text[:12],
)
def test_no_number(text: str) -> None:
    with pytest.raises(UsageError, match="is no number; write it like"):
        number(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8/255", Fraction(8, 255)),
        ("0.03", Fraction(3, 100)),
        (".5", Fraction(1, 2)),
        ("1e-3", Fraction(1, 1000)),
        ("1.5/3", Fraction(1, 2)),
        (" +7 ", Fraction(7)),
        ("-1", Fraction(-1)),
    ],
)
def test_numbers_are_exact(text: str, value: Fraction) -> None:
    assert number(text) == value


def test_numbers_that_are_none_can_still_be_printed() -> None:
    assert [shorten(float(x)) for x in ("nan", "inf", "-inf")] == ["nan", "inf", "-inf"]


def test_the_rooms_are_the_folders() -> None:
    assert set(ROOMS) == {*BASES, "checks", "signals", "analyses", "trackers"}
    assert list(names("methods")) == sorted(names("methods"))
    assert "plain" in names("methods") and "-canvas" not in names("figures")
