"""What decides the weights, and the name that it gives a run."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustbench_cli.errors import CompositionError, UsageError
from robustbench_cli.files import slug
from robustbench_cli.training.config import TrainConfig


def resolved(**settings: object) -> TrainConfig:
    return TrainConfig(**settings).resolve()  # type: ignore[arg-type]


def test_what_is_not_given_is_usual_for_the_data_set() -> None:
    config = resolved()
    assert (config.epochs, config.batch_size, config.optimizer, config.lr) == (15, 64, "adam", 1e-3)
    config = resolved(data="cifar10")
    assert (config.optimizer, config.lr, config.weight_decay) == ("sgd", 0.1, 5e-4)
    assert resolved(optimizer="sgd").lr == 0.1


def test_specs_are_spelled_in_one_way() -> None:
    config = resolved(method="mixup:alpha=1.0 + pgd-at:steps=10", model="mlp:width=64")
    assert (config.method, config.model) == ("mixup+pgd-at", "mlp")
    assert config.name == "digits-mlp-mixup+pgd-at-s0"


def test_what_the_data_set_decides_is_written_down_but_not_part_of_the_name() -> None:
    config = resolved(method="pgd-at")
    assert config.method == "pgd-at" and config.method_resolved == "pgd-at:eps=0.1"
    assert resolved(method="pgd-at", data="cifar10").method_resolved == "pgd-at:eps=8/255"
    assert resolved(method="pgd-at:eps=0.2").name == "digits-lenet5-pgd-at-eps=0.2-s0"


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "digits-lenet5-plain-s0"),
        ({"epochs": 15}, "digits-lenet5-plain-s0"),  # as usual
        ({"epochs": 3, "seed": 7}, "digits-lenet5-plain-epochs=3-s7"),
        ({"train_fraction": 0.1}, "digits-lenet5-plain-train-fraction=0.1-s0"),
        ({"method": "pgd-at:eps=8/255"}, "digits-lenet5-pgd-at-eps=8_255-s0"),
        ({"augment": False}, "digits-lenet5-plain-augment=false-s0"),
        ({"data": "spirals:arms=3"}, "spirals-arms=3-lenet5-plain-s0"),
    ],
)
def test_a_name_says_what_was_asked_for(settings: dict[str, object], name: str) -> None:
    assert resolved(**settings).name == name


def test_resolving_twice_changes_nothing() -> None:
    config = resolved(method="advprop", optimizer="sgd")
    assert config.resolve() == config


def test_a_config_survives_json() -> None:
    config = resolved(method="pgd-at:eps=8/255", lr=1 / 3, weight_decay=5e-4)
    assert TrainConfig(**json.loads(json.dumps(config.as_dict()))) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "mixp"}, "did you mean 'mixup'?"),
        ({"model": "lenet"}, "did you mean 'lenet5'?"),
        ({"data": "digit"}, "did you mean 'digits'?"),
        ({"optimizer": "lion"}, "no optimizer 'lion'; type --optimizer sgd, adam, adamw"),
        ({"schedule": "cosin"}, "no schedule 'cosin'; type constant, step, cosine, cyclic"),
        ({"loss": "mse"}, "no loss 'mse'; type ce, bce"),
        ({"precision": "int8"}, "no precision 'int8'; type auto, float32, bfloat16, float16"),
        ({"epochs": -1}, "--epochs -1: expected 0 or more"),
        ({"batch_size": 1}, "--batch-size 1: expected 2 or more"),
        ({"lr": float("nan")}, "--lr nan: expected 0 or more"),
        ({"lr": float("inf")}, "--lr inf: expected 0 or more"),
        ({"lr": -0.1}, "--lr -0.1: expected 0 or more"),
        ({"weight_decay": -1.0}, "--weight-decay -1: expected 0 or more"),
        ({"momentum": -0.5}, "--momentum -0.5: expected 0 or more"),
        ({"seed": -1}, "--seed -1: expected 0 or more"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        resolved(**settings)
    assert message in str(refusal.value)


def test_compositions_without_a_meaning_are_refused_before_anything_is_trained() -> None:
    with pytest.raises(CompositionError, match="both replace the head: keep one"):
        resolved(method="vib+info-mixup")
    with pytest.raises(CompositionError, match="mixup is given twice"):
        resolved(method="mixup+als+mixup:alpha=0.4")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(0, 10**4),
            "lr": st.floats(0, 10, allow_subnormal=False),
            "seed": st.integers(0, 2**40),
            "label_noise": st.floats(0, 1),
            "loss": st.sampled_from(["ce", "bce"]),
            "schedule": st.sampled_from(["step", "cosine", "cyclic"]),
        },
    )
)
def test_names_are_file_names_and_tell_settings_apart(settings: dict[str, object]) -> None:
    config = resolved(**settings)
    assert slug(config.name) == config.name
    assert (config.name == resolved().name) == (config == resolved())
