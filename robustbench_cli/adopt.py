"""Somebody else's weights become a run, so that everything that works on runs works on them.

robustmix attack resnet20.th --data cifar10     ->  runs/cifar10-resnet20/
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from .data.dataset import SPLIT_SEED, Data, stratified
from .errors import RunError, UsageError
from .files import digest, replacing, slug
from .models.checkpoint import check_size, load_state
from .models.fitting import fit, normalisation_of
from .models.infer import infer
from .models.model import Model, Normalise, make
from .models.normalisation import choose_normalisation, usual, written
from .models.own import open_architecture
from .runs.data_identity import refuse_others
from .runs.run import Run, create

_log = logging.getLogger(__name__)
PROBES = 2000  # training images on which the normalisation is chosen


def adopt(
    checkpoint: Path,
    folder: Path,
    data: Data,
    *,
    model: str | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
) -> Run:
    """The run below `folder` that holds these weights; made on the first call.

    The architecture is `model`, or the only known one that fits. The normalisation is `normalise`
    (none, data, symmetric, imagenet, cifar, cifar-batchwise), or what the file carries, or the
    one with the lowest loss on training images. What was found out is logged.

    Raises:
        RunError: unreadable, or no network fits.
        UsageError: no normalisation of that name.
    """
    check_size(checkpoint)
    mark = digest(checkpoint) if checkpoint.is_file() else ""
    path = _place(folder, f"{data.dataset.short}-{checkpoint.stem}", [weights_key, normalise], mark)
    facts = data.facts()
    asked = {
        "data": str(data.dataset),
        "method": "plain",
        "checkpoint": checkpoint.name,
        "checkpoint_digest": mark,
        "asked_model": model,
        "asked_normalise": normalise,
    }
    if weights_key:
        asked["asked_weights"] = weights_key
    if mark and (path / "run.json").is_file():
        run = Run.open(path)
        if run.finished and {k: run.config.get(k) for k in asked} == asked:
            remedy = "bring those back, or choose another --runs-dir"
            refuse_others(path, str(data.dataset), run.record.get("data") or {}, facts, remedy)
            return run
    state = load_state(checkpoint, weights_key)
    shape, classes = data.train.shape, len(data.classes)
    try:
        architecture = open_architecture(model) if model else infer(state, shape, classes)
        network = make(architecture, shape, classes)
        how = fit(network, state)
    except RunError as e:
        raise RunError(f"{checkpoint}: {e}") from e
    name = _normalise(network, data, state, normalise)
    _log.warning("%s: %s, %s; normalisation: %s", checkpoint.name, architecture, how, name)
    with replacing(path / "model.safetensors") as beside:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, beside)
    config = {**asked, "model": str(architecture), "normalise": name.partition(" ")[0]}
    return create(path, config, status="done", data=facts, matched=how)


def _place(folder: Path, name: str, asked: Iterable[str | None], mark: str) -> Path:
    """Readable; with the file's digest where another run already has the name."""
    name = "-".join([name, *filter(None, asked)])
    path = folder / slug(name)
    if not (path / "run.json").is_file():
        return path
    taken = Run.open(path).config.get("checkpoint_digest") != mark
    return folder / slug(f"{name}-{mark[:8]}") if taken else path


def _normalise(model: Model, data: Data, state: dict[str, Tensor], asked: str | None) -> str:
    """Give the model its normalisation; returns its name and how it was found."""
    candidates = usual(data.mean, data.std)
    if asked:
        if asked not in candidates and ":" not in asked:
            raise UsageError(
                f"no normalisation {asked!r}; type --normalise {', '.join(candidates)}, or numbers "
                "as people write them: 0.1307:0.3081"
            )
        channels = len(data.mean)
        model.normalise = Normalise(*(candidates.get(asked) or written(asked, channels)))
        return f"{asked} (as asked)"
    if normalisation_of(state, model.network) is not None:
        return "file (the weights carry it)"
    probes = data.train[stratified(data.train.labels, PROBES / len(data.train), SPLIT_SEED)]
    choice = choose_normalisation(model.eval(), probes.x, probes.labels, candidates)
    best, second = list(choice.losses.items())[:2]
    return (
        f"{choice.name} (loss {best[1]:.3f} on {len(probes)} training images, next best "
        f"{second[0]} {second[1]:.3f}; to choose: --normalise)"
    )
