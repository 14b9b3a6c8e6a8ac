"""Somebody else's weights become a run, so that everything that works on runs works on them.

robustmix attack resnet20.th --data cifar10     ->  runs/cifar10-resnet20/
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from .data.dataset import Data
from .epsilon import Eps
from .errors import RobustmixError, RunError, UsageError
from .evaluation.attack import Attack
from .evaluation.choosing import USUAL, Choice, Numbers, choose, short_attacks, unjudged
from .files import digest, replacing, slug
from .jobs.attack_config import AttackConfig
from .models.checkpoint import check_size, load_state
from .models.fitting import Match, compare
from .models.guessing import near_chance, other_order
from .models.infer import fitting
from .models.misfits import misfit
from .models.model import Architecture, Model, make
from .models.normalisation import Statistics, usual, written
from .models.own import open_architecture
from .models.placed import Placed
from .models.readings import Reading, options, readings
from .runs.data_identity import refuse_others
from .runs.run import Run, create
from .spec import build

_log = logging.getLogger(__name__)
GUESS = "guess"
"""For `normalise`: the likeliest, also where another one would give other numbers."""
_UNTRAINED = (
    "how it sees images is not said, and {} has no training images that would show it; type {} ..."
)


def adopt(
    checkpoint: Path,
    folder: Path,
    data: Data,
    *,
    model: str | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
    attacks: Sequence[AttackConfig] = (),
    named: str | None = None,
    source: Mapping[str, str] = {},
) -> Run:
    """The run below `folder` that holds these weights; made on the first call.

    The architecture is `model`, or a known one that fits. The normalisation is `normalise` (none,
    data, symmetric, imagenet, ..., or numbers), or what the file carries, or a usual one. Where
    several are possible, they must agree on the numbers of `attacks`, or at the usual epsilon of
    the data set, under a short attack. What was found out is logged, and kept in run.json.
    `named`: what the run is called, in the place of the data set, the file and what was asked;
    `source`: where the weights are from, which is written down.

    Raises:
        RunError: unreadable, no network fits, or none classifies these data.
        UsageError: no such normalisation; or several are possible that give other numbers, unless
            `normalise` is "guess".
    """
    check_size(checkpoint)
    mark = digest(checkpoint) if checkpoint.is_file() else ""
    usual_name = [f"{data.dataset.short}-{checkpoint.stem}", weights_key, normalise]
    path = _place(folder, named or "-".join(filter(None, usual_name)), mark)
    asked = {
        "data": str(data.dataset),
        "method": "plain",
        "checkpoint": checkpoint.name,
        "checkpoint_digest": mark,
        "asked_model": model,
        "asked_normalise": normalise,
        **({"asked_weights": weights_key} if weights_key else {}),
        **source,
    }
    numbers, before = _numbers(attacks, data), list[dict[str, Any]]()
    if mark and (run := _earlier(path, asked, data)):
        before = run.record.get("guess", {}).get("judged", [])
        if not before or not (numbers := unjudged(numbers, before)):
            return run
    check_size(checkpoint, _worth(model, data))
    state = load_state(checkpoint, weights_key, lambda each: _fits(each, data, model))
    try:
        placed = Placed(state, data)
        choice = _understand(placed, data, model, normalise, numbers)
        said = _verdict(choice, data)
    except RobustmixError as e:
        raise type(e)(f"{checkpoint}: {e}") from e
    spec, name = str(choice.reading.architecture), choice.reading.normalise
    how = placed.how(choice.reading.architecture)
    _log.warning("%s: %s, %s; normalisation: %s (%s)", checkpoint.name, spec, how, name, said)
    with replacing(path / "model.safetensors") as beside:
        weights = placed(choice.reading).state_dict()
        save_file({k: v.cpu().contiguous() for k, v in weights.items()}, beside)
    more: dict[str, Any] = {}
    if len(choice.guess.readings) > 1:
        more["guess"] = choice.guess.as_dict()
        more["guess"]["judged"] += before
    config = {**asked, "model": spec, "normalise": name}
    return create(path, config, status="done", data=data.facts(), matched=how, **more)


def _earlier(path: Path, asked: Mapping[str, Any], data: Data) -> Run | None:
    """The finished run that the same question made, of the same data.

    Raises:
        RunError: its data have changed since.
    """
    if not (path / "run.json").is_file():
        return None
    run = Run.open(path)
    if not run.finished or {k: run.config.get(k) for k in asked} != asked:
        return None
    remedy = "bring those back, or choose another --runs-dir"
    refuse_others(path, str(data.dataset), run.record.get("data") or {}, data.facts(), remedy)
    return run


def _understand(
    placed: Placed,
    data: Data,
    model: str | None,
    normalise: str | None,
    numbers: Mapping[str, Numbers],
) -> Choice:
    """The likeliest reading of the weights.

    Raises:
        RunError: no network fits.
        UsageError: nothing shows how they are to be read, or surely as another network.
    """
    shown = data.train if len(data.train) else data.test  # nothing is chosen by test images
    insisted, told = normalise == GUESS, normalise not in (None, GUESS)
    read = _readings(placed, data, model, normalise, chains=len(data.train) > 0)
    if not len(data.train) and len(read) > 1:
        raise UsageError(_UNTRAINED.format(data.dataset.name, " or ".join(options(read)[:3])))
    choice = choose(read, placed, shown, data.test, numbers, insisted)
    if told and near_chance(choice.looked[0].right, len(data.classes)):
        read = _readings(placed, data, model, normalise, chains=False)  # nothing else is known
        choice = choose(read, placed, shown, data.test, numbers, insisted)
    if not model and not _wrong_order(choice, data):
        network = placed(choice.reading)
        why = _misfit(network, choice, data, scales=not told)
        if why and not choice.guess.insisted:
            raise UsageError(why)
        if why:
            _log.warning("%s", why)
    return choice


def _place(folder: Path, name: str, mark: str) -> Path:
    """Readable; with the file's digest where another run already has the name."""
    path = folder / slug(name)
    if not (path / "run.json").is_file():
        return path
    taken = Run.open(path).config.get("checkpoint_digest") != mark
    return folder / slug(f"{name}-{mark[:8]}") if taken else path


def _numbers(attacks: Sequence[AttackConfig], data: Data) -> dict[str, Numbers]:
    """By short attack, what will be printed; where nothing says so, the usual."""
    found: dict[str, Numbers] = {}
    for config in attacks:
        n = min(config.samples or len(data.test), len(data.test))
        for attack in short_attacks(build(Attack, config.attack)):
            epsilons, most = found.get(attack, ((), 0))
            merged = sorted({*epsilons, *(e for e in config.epsilons if e.value)})
            found[attack] = Numbers(tuple(merged), max(n, most))
    usual_eps = Numbers((Eps.parse(data.dataset.usual_eps("linf")),), len(data.test))
    return {k: v for k, v in found.items() if v.epsilons} or {USUAL: usual_eps}


def _worth(model: str | None, data: Data) -> int | None:
    """Bytes of the network's weights in float32; None where it is not known."""
    if not model:
        return None
    architecture = open_architecture(model)
    try:
        with torch.device("meta"):
            network = architecture.build(data.train.shape, len(data.classes))
    except Exception:  # of the user's own, which need not take it; what is wrong is said later
        return None
    return 4 * sum(int(value.numel()) for value in network.state_dict().values())


def _fits(state: Mapping[str, Tensor], data: Data, model: str | None) -> bool:
    """Whether these are the weights of a whole network."""
    try:
        known = _architectures(state, data, model)
    except RunError:
        return False
    if not model:  # those were compared
        return True
    try:
        with torch.device("meta"):  # only shapes are read, and this takes no time
            network = known[0].build(data.train.shape, len(data.classes))
    except Exception:  # somebody's own network, which wants to be made for real
        network = make(known[0], data.train.shape, len(data.classes)).network
    return isinstance(compare(known[0].renamed(state, network), network), Match)


def _architectures(
    state: Mapping[str, Tensor], data: Data, model: str | None, *, chains: bool = True
) -> list[Architecture]:
    if model:
        return [open_architecture(model)]
    return fitting(state, data.train.shape, len(data.classes), shown=chains)


def _readings(
    placed: Placed, data: Data, model: str | None, normalise: str | None, *, chains: bool
) -> list[Reading]:
    known = _architectures(placed.state, data, model, chains=chains)
    return readings(known, _ways(placed, data, known, normalise))


def _ways(
    placed: Placed, data: Data, architectures: Sequence[Architecture], asked: str | None
) -> dict[str, Statistics]:
    """The normalisations that are possible before anything is measured, by name."""
    known, channels = usual(data.mean, data.std), data.test.shape[0]
    if not data.mean:  # no training images, so the data have none of their own
        known = usual([0.0] * channels, [1.0] * channels)
        known.pop("data")
    if len(architectures) == 1 and (own := architectures[0].normalisation(channels)):
        known = {"own": own, **known}
    if asked and asked != GUESS:
        if asked not in known and ":" not in asked:
            raise UsageError(
                f"no normalisation {asked!r}; type --normalise {', '.join(known)}, guess, or "
                "numbers as people write them: 0.1307:0.3081"
            )
        return {asked: known.get(asked) or written(asked, channels)}
    inside = placed.carried(architectures[0])
    return known if inside is None else {"file": inside}


def _verdict(choice: Choice, data: Data) -> str:
    """What the choice rests on.

    Raises:
        RunError: it was guessed, and nothing classifies these data.
        UsageError: it was guessed, and it matters.
    """
    guess, best, name = choice.guess, choice.looked[0].right, choice.reading.normalise
    several = len({str(each.reading.architecture) for each in choice.looked}) > 1
    typed = f"--model {choice.reading.architecture} " * several + f"--normalise {name}"
    wrong = _wrong_order(choice, data)
    if not wrong and near_chance(best, len(data.classes)):
        wrong = (
            f"under no reading is it right on more than {best.mean():.1%} of {_shown(data)} "
            f"(chance: {1 / len(data.classes):.1%}); check --data and --model, or type "
            f"{typed} to attack it all the same"
        )
    if len(guess.readings) == 1:
        if wrong:
            _log.warning("%s", wrong)
        return "the weights carry it" if name == "file" else "as asked"
    if not guess.insisted and wrong:
        raise RunError(wrong)
    if not guess.insisted and guess.matters:
        raise UsageError(guess.question())
    return guess.why()


def _shown(data: Data) -> str:
    return "training images" if len(data.train) else "test images"


def _misfit(network: Model, choice: Choice, data: Data, *, scales: bool) -> str:
    """A sentence, where the weights are surely those of another network, of the same shapes."""
    spec, right = choice.reading.architecture, choice.looked[0].right
    why = misfit(network, choice.images, right, classes=len(data.classes), scales=scales)
    if not why:
        return ""
    return (
        f"{spec} has the same shapes, but of {len(right)} {_shown(data)} {why}; or --model {spec} "
        "to attack it as that"
    )


def _wrong_order(choice: Choice, data: Data) -> str:
    """A sentence, where under some reading the classes surely stand in another order."""
    labels, best = choice.images.labels.cpu().numpy(), choice.looked[0].right
    for looked in choice.looked:
        if order := other_order(looked.classes, labels, len(data.classes), best):
            moved, share = order
            listed = ", ".join(f"{o} is {data.classes[c]}" for o, c in [*moved.items()][:6])
            listed += ", ..." * (len(moved) > 6)
            return (
                f"its classes stand in another order: {share:.1%} of {_shown(data)} are right, "
                f"not {best.mean():.1%}, where its output {listed}; reorder its last layer"
            )
    return ""
