"""``robustmix train``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Exit, Option

from . import show
from .completion import names_of
from .groups import Following, Places, Voice, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

    from robustbench_cli.grid import Finished, Workers
    from robustbench_cli.jobs import Job


def train(
    *,
    method: Annotated[
        list[str] | None,
        Option(
            "--method",
            "-m",
            metavar="SPEC[+SPEC...]",
            help="Repeat, or braces, for a grid. [plain]",
            autocompletion=names_of("methods"),
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        Option(
            metavar="SPEC",
            help="Repeat for a grid. [digits: no download]",
            autocompletion=names_of("datasets"),
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        Option(
            metavar="SPEC",
            help="Repeat for a grid. [lenet5, or that of --init]",
            autocompletion=names_of("models"),
        ),
    ] = None,
    init: Annotated[
        str | None,
        Option(
            metavar="RUN|CHECKPOINT|timm:NAME",
            help="Begin with these weights, as of robustbench:NAME or hf:OWNER/REPO; for other "
            "classes, with a new head.",
        ),
    ] = None,
    weights_key: Annotated[
        str | None, Option(metavar="KEY", help="Of --init FILE, which holds several: ema.")
    ] = None,
    freeze: Annotated[
        str | None,
        Option(
            metavar="NAME[,NAME...]",
            help="Layers that stay as they are, by what their parameters' names begin with, or "
            "globs.",
        ),
    ] = None,
    seed: Annotated[list[int] | None, Option(help="Repeat for a grid. [0]", min=0)] = None,
    seeds: Annotated[
        int | None, Option(metavar="N", min=1, help="Short for --seed 0 ... --seed N-1.")
    ] = None,
    epochs: Annotated[int | None, Option(min=0, help="By data set: digits 15, mnist 5...")] = None,
    batch_size: Annotated[int | None, Option(min=2, help="By data set.")] = None,
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw"] | None, Option(help="By data set: adam, CIFAR sgd.")
    ] = None,
    lr: Annotated[float | None, Option(help="Peak learning rate. [sgd 0.1, adam 0.001]")] = None,
    momentum: Annotated[float, Option(help="Of sgd.")] = 0.9,
    weight_decay: Annotated[float | None, Option(help="By data set: 0, CIFAR 5e-4.")] = None,
    schedule: Annotated[
        Literal["constant", "step", "cosine", "cyclic"], Option(help="Of the learning rate.")
    ] = "cosine",
    loss: Annotated[
        Literal["ce", "bce"], Option(help="Cross entropy, or binary cross entropy of the softmax.")
    ] = "ce",
    class_weights: Annotated[
        str | None,
        Option(
            metavar="balanced|W[,W...]",
            help="What an image counts in the loss, by its class; balanced: all classes the same.",
        ),
    ] = None,
    augment: Annotated[bool, Option(help="Crop and flip where the data set usually is.")] = True,
    normalise: Annotated[bool, Option(help="By mean and std of the data, in the network.")] = True,
    validation: Annotated[float, Option(help="Share of the training images held out.")] = 0.1,
    train_fraction: Annotated[float, Option(help="Train on this share, stratified.")] = 1.0,
    label_noise: Annotated[float, Option(help="Share of labels moved to another class.")] = 0.0,
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Option(help="Mixed precision; auto is bfloat16 on GPUs that have it."),
    ] = "auto",
    compile: Annotated[bool, Option("--compile", help="Fuse blocks by torch.compile.")] = False,
    stop_on: Annotated[
        str | None,
        Option(
            metavar="SPEC",
            help="Keep the epoch that withstands this attack best.",
            autocompletion=names_of("attacks"),
        ),
    ] = None,
    stop_eps: Annotated[
        str | None, Option(metavar="EPS", help="Its radius. [the method's, or by data set]")
    ] = None,
    places: Places,
    work: Work,
    following: Following,
    voice: Voice,
) -> None:
    """Train networks: every combination of data, model, method and seed is a run.

    Prints the directory of each run, in the order of the grid. A finished run is not trained
    again; an interrupted one goes on after its last epoch.

    \b
      robustmix train                                     plain lenet5 on digits, seconds
      robustmix train -m mixup:alpha=0.4+pgd-at:eps=8/255 --data cifar10 --model resnet18
      robustmix train -m plain -m pgd-at -m info-mixup --seeds 3 -j 2
      robustmix train -m 'vib:beta={1e-4,1e-3}'           a grid: write it in quotes
      robustmix train -m pgd-at --stop-on linf-pgd:steps=10    (Rice et al., 2020)
      robustmix train -m pgd-at --track tensorboard       (live; also trackio, wandb, mlflow)
      robustmix train -m pgd-at --init runs/digits-lenet5-plain-s0    (robust fine-tuning)
      robustmix train --data cifar10 --init timm:resnet18 --freeze conv1,bn1,layer1
      RUN=$(robustmix train -q --epochs 3) && robustmix attack $RUN
    """
    from robustbench_cli.jobs import TrainJob
    from robustbench_cli.jobs.starting import beginning
    from robustbench_cli.tracking.publish import publish_all
    from robustbench_cli.training.config import TrainConfig

    trackers = following.trackers
    chosen = [*(seed or []), *range(seeds or 0)] or [0]
    jobs = [
        TrainJob(
            TrainConfig(
                data=d,
                model=begins.model,
                init=begins.init,
                weights_key=weights_key,
                freeze=freeze,
                method=m,
                seed=s,
                epochs=epochs,
                batch_size=batch_size,
                optimizer=optimizer,
                lr=lr,
                momentum=momentum,
                weight_decay=weight_decay,
                schedule=schedule,
                loss=loss,
                class_weights=class_weights,
                augment=augment,
                normalise=normalise,
                validation=validation,
                train_fraction=train_fraction,
                label_noise=label_noise,
                precision=precision,
                compile=compile,
                stop_on=stop_on,
                stop_eps=stop_eps,
            ).resolve(),
            places.where,
            work.force,
            trackers,
        )
        for d, begins, m, s in product(
            data or ["digits"],
            [beginning(name, init, places.where.runs) for name in model or (None,)],
            method or ["plain"],
            dict.fromkeys(chosen),
        )
    ]
    jobs = work.share(jobs)
    if work.dry_run:
        show.emit(show.list_jobs(jobs))
        return
    finished = run_grid(jobs, work.workers, "runs", voice)
    if paths := [f.path for f in finished if f.path]:
        publish_all(paths, trackers)
        show.emit("\n".join(map(str, paths)))
    leave(finished)


def run_grid(jobs: Sequence[Job], workers: Workers, noun: str, voice: Voice) -> list[Finished]:
    """Run jobs under progress bars; each process says what the user asked to hear."""
    from dataclasses import replace
    from functools import partial

    from robustbench_cli.grid import run_jobs

    from .bars import Bars

    with Bars(noun) as bars:
        return run_jobs(jobs, replace(workers, setup=partial(show.listen, voice)), bars)


def leave(finished: Sequence[Finished]) -> None:
    """Exit with 3 if some of several jobs failed, 1 if the only one did."""
    failed = [f for f in finished if f.error]
    if failed:
        raise Exit(3 if len(finished) > 1 else failed[0].error.exit_code)  # type: ignore[union-attr]
