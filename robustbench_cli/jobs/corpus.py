"""Adversarial images that are made once, on a trained run, for others to train on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from robustbench_cli.data.dataset import Dataset, Images
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.evaluation.isolation import fenced, frozen
from robustbench_cli.evaluation.plan import Plan
from robustbench_cli.evaluation.throughput.fast_path import crafting_source
from robustbench_cli.evaluation.throughput.pooling import quick_pools
from robustbench_cli.evaluation.throughput.threads import threads
from robustbench_cli.evaluation.verification.verify import verify
from robustbench_cli.files import replacing, write_json
from robustbench_cli.locks import held
from robustbench_cli.progress import Progress
from robustbench_cli.runs.evaluation import file_name
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build, shorten
from robustbench_cli.spec.pixels import refuse_unscaled
from robustbench_cli.training.adversarial.offline import Corpus, Offline
from robustbench_cli.training.deploy import load_predictor
from robustbench_cli.training.method import Method

from .attack_config import make_attack_config
from .inputs import is_recorded, named_run


def sources(methods: Iterable[Method], runs: Path) -> tuple[Path, ...]:
    """The runs that the methods attack; one that is only named lies in the folder `runs`."""
    return tuple(named_run(m.source or "", runs) for m in methods if isinstance(m, Offline))


def supply(
    methods: Iterable[Method],
    train: Images,
    data: str,
    runs: Path,
    progress: Progress | None = None,
) -> None:
    """Hand each method that trains on stored adversarial images its corpus, made from `train`.

    Raises:
        RunError: the source is no finished run, does not fit the images, or nothing fools it.
    """
    for method in methods:
        if isinstance(method, Offline):
            source = Run.open(named_run(method.source or "", runs))
            found = [
                make_corpus(source, train, attack, method.eps, data, progress=progress)
                for attack in method.attack.split("/")
            ]
            method.take(Corpus(*(torch.cat(parts) for parts in zip(*found, strict=True))))


def make_corpus(
    source: Run,
    train: Images,
    attack: str,
    eps: float | None,
    data: str,
    seed: int = 0,
    progress: Progress | None = None,
) -> Corpus:
    """Verified adversarials for `source`, of the images in `train` that it gets right.

    They are kept in the source's run directory and read from there the next time.
    """
    norm = build(Attack, attack).norm
    usual = build(Dataset, data, trusted=False).usual_eps(norm, "train_eps")
    radius = Eps.parse(usual if eps is None else shorten(eps))
    refuse_unscaled(f"{attack} ({norm}): epsilon ", float(radius), norm, str(radius))
    probe = make_attack_config(attack, data, (radius,), seed=seed)
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
    with held(source.path / path.name, f"corpus of {source.name}"):
        if not (path.is_file() and is_recorded(record, identity)):
            index, images = _craft(source, train, probe.attack, radius, seed, progress)
            if not len(index):
                raise RunError(f"{source.path}: no image fools it at {radius}; choose a larger eps")
            kept = {"x": images.cpu(), "index": index.cpu(), "label": train.labels[index].cpu()}
            with replacing(path) as beside:
                save_file(kept, beside)
            write_json(record, {"identity": identity, "tried": len(train), "kept": len(index)})
    try:
        stored, device = load_file(path), train.device
        return Corpus(stored["x"].to(device), stored["label"].to(device))
    except (OSError, KeyError, SafetensorError) as e:
        raise RunError(f"{path} is damaged; remove it and train again") from e


def _craft(
    source: Run, train: Images, attack: str, eps: Eps, seed: int, progress: Progress | None
) -> tuple[Tensor, Tensor]:
    """Index (n,) in `train` and image (n, C, H, W) of every verified success."""
    plan = Plan.make(attack, train, [eps], batch_size=None, seed=seed)
    model = load_predictor(source, train.device, "bare")
    row = 0 if plan.attack.budget else -1
    with fenced(), frozen(model), threads(model, train[: plan.batches.size].x):
        victim = crafting_source(plan, model)

        def work(here: slice) -> tuple[Tensor, Tensor]:
            if progress:
                progress(here.start, len(train), lambda: f"corpus of {source.name}")
            chunk = plan.chunk(victim, here, lambda share, moment: None)
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

        with quick_pools(model):
            parts = plan.batches.map(len(train), work)
    indices, images = zip(*parts, strict=True)
    return torch.cat(indices), torch.cat(images).contiguous()
