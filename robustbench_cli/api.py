"""The Python interface: what the command line does, as functions for notebooks and scripts.

Wherever a spec string is accepted, so is the object. What is given by keyword on the command line
is a keyword here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from .analysis.analysis import Analysis
from .data.dataset import Dataset
from .epsilon import Eps, grid
from .errors import UsageError
from .evaluation.attack import Attack
from .jobs import AnalyseJob, AttackJob, Job, TrainJob, TransferJob, Where, make_question
from .jobs.attack_config import AttackConfig, make_attack_config
from .jobs.starting import beginning
from .models.foreign import guess_joints, never_in_place
from .models.model import Model
from .objects.data import data_spec
from .objects.kinds import (
    AnalysisLike,
    AttackLike,
    DataLike,
    EpsilonsLike,
    MethodLike,
    ModelLike,
    NetworkLike,
    NetworksLike,
)
from .objects.networks import Foreign, model_spec, open_network, open_sides
from .objects.specs import spec_of, specs_of
from .progress import Progress
from .runs.analysed import Analysed
from .runs.evaluation import Evaluation
from .runs.given import RunLike, kind, one_run
from .runs.norm_union import NAME
from .runs.run import Run
from .spec import build, build_all
from .tracking.tracker import Tracker
from .training.config import TrainConfig
from .training.deploy import build_defences
from .training.method import Method
from .training.objective import Loss, Objective


def train(
    *,
    data: DataLike = "digits",
    model: ModelLike | None = None,
    method: MethodLike = "plain",
    init: RunLike | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    track: str | Tracker | Sequence[str | Tracker] = (),
    progress: Progress | None = None,
    **settings: Any,
) -> Run:
    """Train one network, or return the run that already holds it.

    `data`: a spec, ``(x, y)`` of arrays or tensors, a torch Dataset or DataLoader (split 80 to 20,
    always alike), or a pair of those, to train and to test on; they are written below
    ``runs_dir/.arrays``. `model`: a spec, a class of networks, or a network object, which is copied
    and trained on from the weights that it has.

    `init`: a run, its path, a checkpoint file (with `weights_key` where it holds several),
    ``"robustbench:NAME"``, ``"hf:OWNER/REPO"`` or ``"timm:NAME"``: the weights to begin with; the
    network is then theirs. `freeze`: layers that stay as they are, ``"conv1,layer1"``.

    `settings` are the other fields of :class:`TrainConfig`: seed, epochs, batch_size, optimizer,
    lr, schedule, train_fraction, label_noise, ... `track`: told of every epoch, ``"tensorboard"``.

    Raises:
        UsageError: a spec or a setting that makes no sense.
        RunError: data that is not there, or a loss that is no longer finite.
    """
    if isinstance(numbers := settings.get("class_weights"), (list, tuple)):
        settings["class_weights"] = ",".join(map(str, numbers))
    named = None if model is None else model_spec(model, "train")
    specs: dict[str, Any] = {
        "data": data_spec(data, Path(runs_dir), "train"),
        **beginning(named, _weights(init), Path(runs_dir))._asdict(),
        "method": specs_of(method, Method, "train"),
    }
    try:
        config = TrainConfig(**specs, **settings).resolve()
    except TypeError as e:
        raise UsageError(f"train: {str(e).partition('__init__() ')[2] or e}") from e
    where = Where(Path(runs_dir), Path(data_dir), device)
    listed = [track] if isinstance(track, (str, Tracker)) else track
    trackers = tuple(str(build(Tracker, spec_of(each, Tracker, "train"))) for each in listed)
    return Run.open(_do(TrainJob(config, where, force, trackers), progress))


def evaluate(
    run: NetworkLike,
    *,
    attack: AttackLike = "linf-pgd",
    epsilons: EpsilonsLike | None = None,
    defence: MethodLike | None = None,
    samples: int | None = None,
    data: DataLike | None = None,
    model: ModelLike | None = None,
    normalise: str | None = None,
    weights_key: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Evaluation:
    """Attack a network's test images and keep the result in its run's directory.

    `run`: a run, its path, a checkpoint file, ``"robustbench:NAME"``, ``"hf:OWNER/REPO"``, or an
    `nn.Module`. All but the first two become a run below `runs_dir`, under a digest of all that
    they are, and all but RobustBench's need `data`: a spec, or the test images themselves as
    ``(x, y)`` of arrays or tensors, a torch Dataset or DataLoader. An object is shown pixels in
    [0, 1], after `normalise` (``"imagenet"``, ``"0.1307:0.3081"``) if that is given. For a file,
    `model`, `normalise` (also ``"guess"``) and `weights_key` say what it does not, as on the
    command line.

    `defence`: put before the network at test time, as ``"jpeg"`` or ``Smoothing(sigma=0.25)``.
    `epsilons`: ``"8/255"``, ``"0:0.5:0.025"``, or a sequence; usual ones of the data set by
    default. `options`: seed, schedule, view, batch_size, checks, eight_bit. A result that exists
    is read.
    """

    def asked(spec: str) -> AttackConfig:
        return _attack_config("evaluate", spec, attack, epsilons, samples=samples, **options)

    if attack == NAME:
        raise UsageError(
            "evaluate in one norm at a time, then: table(runs, unions='linf=8/255,l2=0.5')"
        )
    options |= _defended("evaluate", defence)
    spec_of(attack, Attack, "evaluate")  # before anything is read
    foreign = Foreign(data=data, model=model, normalise=normalise, weights_key=weights_key)
    where = Where(Path(runs_dir), Path(data_dir), device)
    opened = open_network(run, foreign, where, "evaluate", lambda spec: [asked(spec)])
    job = AttackJob(opened.path, asked(opened.config["data"]), _beside(opened, where), force)
    return Evaluation.load(_do(job, progress))


def transfer(
    sources: NetworksLike,
    targets: NetworksLike,
    *,
    attack: AttackLike = "linf-pgd",
    epsilons: EpsilonsLike | None = None,
    samples: int | None = None,
    data: DataLike | None = None,
    normalise: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> list[Evaluation]:
    """Craft on each source, show to every target; one evaluation per pair, in their order.

    What `sources` and `targets` may be, and `data` and `normalise`: see :func:`evaluate`.
    """
    spec_of(attack, Attack, "transfer")
    foreign = Foreign(data=data, normalise=normalise)
    where = Where(Path(runs_dir), Path(data_dir), device)

    def asked(spec: str) -> AttackConfig:
        return _attack_config("transfer", spec, attack, epsilons, samples=samples, **options)

    listed, shown = open_sides(
        sources, targets, foreign, where, "transfer", lambda spec: [asked(spec)]
    )
    found = []
    for source in listed:
        config = asked(source.config["data"])
        targeted = tuple(target.path for target in shown)
        job = TransferJob(source.path, targeted, config, _beside(source, where), force)
        _do(job, progress)
        found += [Evaluation.load(path) for path in job.records]
    return found


def analyse(
    run: NetworkLike,
    analysis: AnalysisLike,
    *,
    seed: int = 0,
    view: str = "deployed",
    defence: MethodLike | None = None,
    data: DataLike | None = None,
    normalise: str | None = None,
    runs_dir: str | Path = "runs",
    data_dir: str | Path = "~/.cache/robustmix",
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Analysed:
    """Look at a network, as ``"church-window"`` does, and keep the result in its run's directory.

    A result that exists is read. ``analyse(...)["adversarial"]`` is one of its numbers, `.table`
    everything behind them. What `run` may be, and `data` and `normalise`: see :func:`evaluate`.
    """
    spec = spec_of(analysis, Analysis, "analyse")
    options: dict[str, Any] = {"seed": seed, "view": view, **_defended("analyse", defence)}
    where = Where(Path(runs_dir), Path(data_dir), device)
    opened = open_network(run, Foreign(data=data, normalise=normalise), where, "analyse")
    question = make_question(spec, opened.config["data"], **options)
    job = AnalyseJob(opened.path, question, _beside(opened, where), force)
    return Analysed.load(_do(job, progress))


analyze = analyse


def _weights(init: RunLike | None) -> str | None:
    if init is None or isinstance(init, (str, Path)):
        return None if init is None else str(init)
    if isinstance(init, nn.Module):
        raise UsageError("train: an object has its weights already: give it as model=")
    return str(one_run(init, "train: init").path)


def compose(
    model: nn.Module,
    methods: MethodLike,
    *,
    loss: Loss = "ce",
    dataset: str | Dataset | None = None,
) -> Objective:
    """Methods around a network of your own: ``objective(batch).loss.backward()``.

    Methods that work in feature space need `model.stages` and `model.head`; a network without
    them is wrapped, and both are guessed. Make the optimiser afterwards, from
    ``objective.model.parameters()``: methods may add parameters. `dataset` decides the defaults
    that depend on one.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"compose takes a torch.nn.Module; got {kind(model)}")
    listed = _methods(methods)
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


def _methods(given: MethodLike) -> list[Method]:
    """Objects as they are, so that what they learn can be read from them; texts made into some."""
    found: list[Method] = []
    for each in [given] if isinstance(given, (str, Method, type)) else given:
        if isinstance(each, Method):
            found.append(each)
        else:
            found += build_all(Method, spec_of(each, Method, "compose"))
    return found


def _beside(run: Run, where: Where) -> Where:
    """Other runs that a job names lie beside the run itself."""
    return replace(where, runs=run.path.parent)


def _defended(who: str, defence: MethodLike | None) -> dict[str, str]:
    if defence is None:
        return {}
    return {"defence": "+".join(map(str, build_defences(specs_of(defence, Method, who))))}


def _attack_config(
    who: str, data: str, attack: AttackLike, epsilons: EpsilonsLike | None, **options: Any
) -> AttackConfig:
    chosen = () if epsilons is None else as_epsilons(epsilons)
    return make_attack_config(spec_of(attack, Attack, who), data, chosen, **options)


def as_epsilons(given: EpsilonsLike) -> tuple[Eps, ...]:
    """``"8/255,0.1"``, ``"0:0.5:0.1"``, one number, or any sequence of them; sorted."""
    listed = [given] if isinstance(given, (str, float, int, Eps)) else list(given)
    texts = [part for each in listed for part in str(each).split(",")]
    return grid([t for t in texts if ":" not in t], [t for t in texts if ":" in t])
