"""The Python interface: what the command line does, as functions for notebooks and scripts.

Wherever a spec string is accepted, so is the object. What is given by keyword on the command line
is a keyword here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from .adopt import open_run
from .analysis.analysis import Analysis
from .data.dataset import Dataset
from .epsilon import Eps, grid
from .errors import UsageError
from .evaluation.attack import Attack
from .jobs import AnalyseJob, AttackJob, Job, TrainJob, TransferJob, Where, make_question
from .jobs.attack_config import AttackConfig, make_attack_config
from .models.foreign import guess_joints, never_in_place
from .models.model import Architecture, Model
from .progress import Progress
from .runs.analysed import Analysed
from .runs.evaluation import Evaluation
from .runs.run import Run
from .spec import Plugin, allow_code, build, build_all
from .tracking.tracker import Tracker
from .training.config import TrainConfig
from .training.deploy import build_defences
from .training.method import Method
from .training.objective import Loss, Objective

Epsilons = str | float | Eps | Iterable[str | float | Eps]
Methods = str | Method | Sequence[Method]


def train(
    *,
    data: str | Dataset = "digits",
    model: str | Architecture | type[nn.Module] = "lenet5",
    method: Methods = "plain",
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    track: str | Tracker | Sequence[str | Tracker] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train one network, or return the run that already holds it.

    `settings` are the other fields of :class:`TrainConfig`: seed, epochs, batch_size, optimizer,
    lr, schedule, train_fraction, label_noise, ... `track`: told of every epoch, ``"tensorboard"``.

    Raises:
        UsageError: a spec or a setting that makes no sense.
        RunError: data that is not there, or a loss that is no longer finite.
    """
    specs: dict[str, Any] = {"data": _text(data), "model": _text(model), "method": _text(method)}
    try:
        config = TrainConfig(**specs, **settings).resolve()
    except TypeError as e:
        raise UsageError(f"train: {str(e).partition('__init__() ')[2] or e}") from e
    where = Where(Path(runs_dir), Path(data_dir), device)
    listed = [track] if isinstance(track, (str, Tracker)) else track
    trackers = tuple(str(build(Tracker, _text(each))) for each in listed)
    return Run.open(_do(TrainJob(config, where, force, trackers), progress))


def evaluate(
    run: Run | str | Path,
    *,
    attack: str | Attack = "linf-pgd",
    epsilons: Epsilons | None = None,
    defence: Methods | None = None,
    samples: int | None = None,
    data: str | Dataset | None = None,
    model: str | Architecture | type[nn.Module] | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Attack a run's test images and keep the result in its directory.

    `run` may be a checkpoint file: it becomes a run below `runs_dir`. Then `data` is needed;
    `model`, `normalise` (``"imagenet"``, ``"0.1307:0.3081"``, ``"guess"``) and `weights_key` say
    what a file does not, as on the command line.
    `defence`: put before the network at test time, as ``"jpeg"`` or ``Smoothing(sigma=0.25)``.
    `epsilons`: ``"8/255"``, ``"0:0.5:0.025"``, or a sequence; usual ones of the data set by
    default. `options`: seed, schedule, view, batch_size, checks, eight_bit. A result that exists
    is read.
    """
    if defence is not None:
        options["defence"] = "+".join(map(str, build_defences(_text(defence))))

    def asked(spec: str) -> AttackConfig:
        return _attack_config(spec, attack, epsilons, samples=samples, **options)

    foreign = {"model": model, "normalise": normalise, "weights_key": weights_key}
    if not isinstance(run, Run) and Path(run).is_file():
        if isinstance(data, str):
            build(Dataset, data)  # the user gave it, so it may name their own class
        run = open_run(
            Path(run),
            Where(Path(runs_dir), Path(data_dir), device),
            data=None if data is None else _text(data),
            model=None if model is None else _text(model),
            normalise=normalise,
            weights_key=weights_key,
            attacks=lambda spec: [asked(spec)],
        )
    elif given := [name for name, value in foreign.items() if value is not None]:
        raise UsageError(f"evaluate: {given[0]} is for checkpoint files; a run carries its own")
    run = run if isinstance(run, Run) else Run.open(run)
    config = asked(run.config["data"])
    where = Where(run.path.parent, Path(data_dir), device)
    return Evaluation.load(_do(AttackJob(run.path, config, where, force), progress))


def transfer(
    sources: Run | Iterable[Run],
    targets: Run | Iterable[Run],
    *,
    attack: str | Attack = "linf-pgd",
    epsilons: Epsilons | None = None,
    samples: int | None = None,
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> list[Evaluation]:
    """Craft on each source, show to every target; one evaluation per pair, in their order."""
    listed, shown = (
        [given] if isinstance(given, Run) else list(given) for given in (sources, targets)
    )
    found = []
    for source in listed:
        config = _attack_config(source.config["data"], attack, epsilons, samples=samples, **options)
        where = Where(source.path.parent, Path(data_dir), device)
        job = TransferJob(source.path, tuple(t.path for t in shown), config, where, force)
        _do(job, progress)
        found += [Evaluation.load(path) for path in job.records]
    return found


def analyse(
    run: Run | str | Path,
    analysis: str | Analysis,
    *,
    seed: int = 0,
    view: str = "deployed",
    defence: Methods | None = None,
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Analysed:
    """Look at a run's network, as ``"church-window"`` does, and keep the result in its directory.

    A result that exists is read. ``analyse(...)["adversarial"]`` is one of its numbers, `.table`
    everything behind them.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    options: dict[str, Any] = {"seed": seed, "view": view}
    if defence is not None:
        options["defence"] = "+".join(map(str, build_defences(_text(defence))))
    question = make_question(_text(analysis), run.config["data"], **options)
    where = Where(run.path.parent, Path(data_dir), device)
    return Analysed.load(_do(AnalyseJob(run.path, question, where, force), progress))


analyze = analyse


def compose(
    model: nn.Module, methods: Methods, *, loss: Loss = "ce", dataset: str | Dataset | None = None
) -> Objective:
    """Methods around a network of your own: ``objective(batch).loss.backward()``.

    Methods that work in feature space need `model.stages` and `model.head`; a network without
    them is wrapped, and both are guessed. Make the optimiser afterwards, from
    ``objective.model.parameters()``: methods may add parameters. `dataset` decides the defaults
    that depend on one.
    """
    listed = build_all(Method, methods) if isinstance(methods, str) else methods
    listed = [listed] if isinstance(listed, Method) else list(listed)
    if dataset is not None:
        known = build(Dataset, dataset) if isinstance(dataset, str) else dataset
        for method in listed:
            method.adapt(known)
    return Objective(model if isinstance(model, Model) else _jointed(model), listed, loss)


def _jointed(network: nn.Module) -> Model:
    """The network with guessed stages and head; it is used as it is, not copied."""
    stages, head = guess_joints(never_in_place(network))
    return Model(network, stages, head, (0.0,), (1.0,))


def _do(job: Job, progress: Progress | None) -> Path:
    return job.path if job.done() else job.run(progress)


def _attack_config(
    data: str, attack: str | Attack, epsilons: Epsilons | None, **options: Any
) -> AttackConfig:
    chosen = () if epsilons is None else as_epsilons(epsilons)
    return make_attack_config(_text(attack), data, chosen, **options)


def as_epsilons(given: Epsilons) -> tuple[Eps, ...]:
    """``"8/255,0.1"``, ``"0:0.5:0.1"``, one number, or any sequence of them; sorted."""
    listed = [given] if isinstance(given, (str, float, int, Eps)) else list(given)
    texts = [part for each in listed for part in str(each).split(",")]
    return grid([t for t in texts if ":" not in t], [t for t in texts if ":" in t])


def _text(given: str | Plugin | Sequence[Plugin] | type[nn.Module]) -> str:
    """The spec of objects; giving an object of one's own vouches for its module."""
    if isinstance(given, str):
        return given
    if isinstance(given, type):
        allow_code(given.__module__)
        return f"{given.__module__}:{given.__qualname__}"
    plugins = [given] if isinstance(given, Plugin) else list(given)
    for plugin in plugins:
        if not type(plugin).__module__.startswith("robustbench_cli."):
            allow_code(type(plugin).__module__)
    return "+".join(map(str, plugins)) or "plain"
