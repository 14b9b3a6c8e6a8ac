"""What training asks of the attacks: how well an epoch withstands one, and what it trains on.

`training` and `evaluation` do not know each other; this is where a training job joins them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .data.dataset import Dataset, Images
from .epsilon import Eps
from .errors import RunError
from .evaluation.attack import Attack
from .evaluation.evaluate import evaluate_model
from .evaluation.isolation import fenced, frozen
from .evaluation.network import Network
from .evaluation.plan import Plan
from .evaluation.verify import verify
from .files import read_json, replacing, write_json
from .probe import make_probe
from .results import file_name
from .runs import Run
from .spec import build, build_all, shorten
from .training.best import Watch
from .training.config import TrainConfig
from .training.deploy import load_predictor
from .training.method import Method
from .training.offline import Corpus, Offline


def with_stopping(config: TrainConfig) -> TrainConfig:
    """`config` with ``stop_on`` in its canonical spelling and ``stop_eps`` filled in.

    Raises:
        UsageError: no such attack, or a radius that cannot be meant.
    """
    if not config.stop_on:
        return config
    eps = Eps.parse(config.stop_eps or _radius(config, build(Attack, config.stop_on).norm))
    probe = make_probe(config.stop_on, config.data, (eps,))
    return replace(config, stop_on=probe.attack, stop_eps=str(probe.epsilons[0]))


def _radius(config: TrainConfig, norm: str) -> str:
    """That of the first method which trains in this norm; else what is usual for the data set."""
    for method in build_all(Method, config.method_resolved, trusted=False):
        eps = getattr(method, "eps", None)
        if eps and getattr(method, "norm", None) == norm:
            return shorten(eps)
    return build(Dataset, config.data, trusted=False).train_eps[norm]


def watch(config: TrainConfig) -> Watch | None:
    """Measures accuracy under the attack of ``stop_on``; None where there is none."""
    return partial(_withstood, config) if config.stop_on else None


def _withstood(config: TrainConfig, model: nn.Module, images: Images) -> float:
    eps = Eps.parse(config.stop_eps or "0")
    found = evaluate_model(model, images, config.stop_on or "", [eps], seed=config.seed)
    return float(found.accuracy()["accuracy"].iloc[-1])


# --- a corpus of adversarial images ---


def supply(methods: Iterable[Method], train: Images, data: str) -> None:
    """Hand each method that trains on stored adversarial images its corpus, made from `train`.

    Raises:
        RunError: the source is no finished run, does not fit the images, or nothing fools it.
    """
    for method in methods:
        if isinstance(method, Offline):
            found = [
                make_corpus(Run.open(method.source or ""), train, attack, method.eps, data)
                for attack in method.attack.split("/")
            ]
            method.take(Corpus(*(torch.cat(parts) for parts in zip(*found, strict=True))))


def make_corpus(
    source: Run, train: Images, attack: str, eps: float | None, data: str, seed: int = 0
) -> Corpus:
    """Verified adversarials for `source`, of the images in `train` that it gets right.

    They are kept in the source's run directory and read from there the next time.
    """
    usual = build(Dataset, data, trusted=False).train_eps[build(Attack, attack).norm]
    radius = Eps.parse(usual if eps is None else shorten(eps))
    probe = make_probe(attack, data, (radius,), seed=seed)
    identity: dict[str, Any] = {
        "attack": probe.attack,
        "norm": build(Attack, attack).norm,
        "eps": str(radius.value),
        "seed": seed,
        "source": source.name,
        "weights": source.weights_digest,
        "images": train.digest(),
    }
    path = source.path / "corpus" / f"{file_name(identity)}.safetensors"
    record = path.with_suffix(".json")
    if not (record.is_file() and path.is_file() and read_json(record)["identity"] == identity):
        index, images = _craft(source, train, probe.attack, radius, seed)
        if not len(index):
            raise RunError(f"{source.path}: no image fools it at {radius}; choose a larger eps")
        kept = {"x": images.cpu(), "index": index.cpu(), "label": train.labels[index].cpu()}
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as beside:
            save_file(kept, beside)
        write_json(record, {"identity": identity, "tried": len(train), "kept": len(index)})
    try:
        stored = load_file(path, device=str(train.pixels.device))
        return Corpus(stored["x"], stored["label"])
    except (OSError, KeyError, SafetensorError) as e:
        raise RunError(f"{path} is damaged; remove it and train again") from e


def _craft(source: Run, train: Images, attack: str, eps: Eps, seed: int) -> tuple[Tensor, Tensor]:
    """Index (n,) in `train` and image (n, C, H, W) of every verified success."""
    plan = Plan.make(attack, train, [eps], batch_size=None, seed=seed)
    model = load_predictor(source, train.pixels.device, "bare")
    row = 0 if plan.attack.budget else -1
    with fenced(), frozen(model):
        opponent = plan.look(Network(model).eval())

        def work(here: slice) -> tuple[Tensor, Tensor]:
            chunk = plan.chunk(opponent, here, lambda share, moment: None)
            right = (chunk.clean == chunk.samples.labels).nonzero()[:, 0]
            if not len(right):
                return right, chunk.samples.x[right]
            samples = chunk.samples[right]
            ((_, _, made),) = chunk.craft(samples, 0, [row])
            verdict = verify(
                chunk.network,
                samples,
                made.images,
                norm=plan.attack.norm,
                eps=float(eps),
                claimed=made.claimed,
            )
            kept = torch.from_numpy(verdict.adversarial).to(right.device)
            return right[kept] + here.start, made.images.detach()[kept].float()

        parts = plan.batches.map(len(train), work)
    indices, images = zip(*parts, strict=True)
    return torch.cat(indices), torch.cat(images).contiguous()
