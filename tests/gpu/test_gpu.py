"""What no pretence can show: a GPU's own results, its memory, and its waits."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from file_job import FileJob
from tiny import contents, train_job
from torch import Tensor, nn

from robustbench_cli.data.dataset import Data, Images, open_data
from robustbench_cli.data.datasets.digits import Digits
from robustbench_cli.epsilon import grid
from robustbench_cli.evaluation.algorithms.descent import Descent
from robustbench_cli.evaluation.attack import Attack, Samples
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.evaluation.scheduling.draws import Seeded
from robustbench_cli.evaluation.scheduling.steps import Front, Pace, Stepper
from robustbench_cli.evaluation.throughput.fast_path import Crafting
from robustbench_cli.evaluation.throughput.memory import fitting
from robustbench_cli.grid import Workers, run_jobs
from robustbench_cli.jobs import Where
from robustbench_cli.jobs.kind import Kind
from robustbench_cli.progress import Progress
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.train import Trainer

EPSILONS = grid(["0,0.05,0.2"])


@pytest.fixture
def network(device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(392, 10)).to(device).eval()


@pytest.fixture
def images(network: nn.Module, device: torch.device) -> Images:
    test = Digits().load(Path())[1][:40].to(device)
    with torch.no_grad():
        return replace(test, labels=network(test.x).argmax(1))


@pytest.fixture(scope="module")
def data(device: torch.device) -> Data:
    given = open_data(Digits(), Path(), device, train_fraction=0.1)
    return replace(given, validation=given.validation[:50])


def train(data: Data, folder: Path, method: str = "pgd-at:steps=2", **options: object) -> Run:
    progress = options.pop("progress", None)
    settings = {"epochs": 2, "batch_size": 32, "model": "lenet5", **options}
    config = TrainConfig(data="digits", method=method, **settings).resolve()  # type: ignore[arg-type]
    return Trainer(config, data, folder, progress).run()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "attack",
    ["linf-fgsm", "linf-bim:steps=5", "l2-deepfool:steps=5", "l2-ddn:steps=5", "linf-fmn:steps=5"],
)
def test_verdicts_are_those_of_the_cpu(network: nn.Module, images: Images, attack: str) -> None:
    cpu = torch.device("cpu")
    there = evaluate_model(network, images, attack, EPSILONS)
    here = evaluate_model(copy.deepcopy(network).to(cpu), images.to(cpu), attack, EPSILONS)
    assert (there.samples["prediction"] == here.samples["prediction"]).mean() > 0.97


@pytest.mark.parametrize("attack", ["linf-pgd:steps=5,restarts=2", "l2-apgd-ce:steps=5"])
@pytest.mark.parametrize("schedule", ["ascending", "bisect"])
def test_an_evaluation_can_be_repeated(
    network: nn.Module, images: Images, attack: str, schedule: str
) -> None:
    def once() -> Iterator[object]:
        found = evaluate_model(network, images, attack, EPSILONS, schedule=schedule)  # type: ignore[arg-type]
        yield from found.samples.to_numpy().astype(str).tolist()

    assert list(once()) == list(once())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", ["pgd-at:steps=2", "mixup", "puzzlemix", "info-mixup:size=8"])
def test_a_training_can_be_repeated_and_resumed(
    tmp_path: Path, data: Data, method: str, precision: str
) -> None:
    class Killed(BaseException):
        pass

    def kill(done: int, total: int, tell: object) -> None:
        if done > 0.7 * total:
            raise Killed

    options = {"method": method, "precision": precision}
    runs = [train(data, tmp_path / str(i), **options) for i in range(2)]
    with pytest.raises(Killed):
        train(data, tmp_path / "killed", progress=kill, **options)
    runs.append(train(data, tmp_path / "killed", **options))
    weights = [contents(run.path, "*.safetensors") for run in runs]
    assert weights[0] == weights[1] == weights[2]


def test_compiled_and_in_bfloat16(network: nn.Module, images: Images) -> None:
    plain = evaluate_model(network, images, "linf-bim:steps=5", EPSILONS)
    for crafting in (Crafting(precision="bfloat16"), Crafting(compile=True)):
        found = evaluate_model(network, images, "linf-bim:steps=5", EPSILONS, crafting=crafting)
        same = found.samples["prediction"] == plain.samples["prediction"]
        assert same.mean() > 0.9, str(crafting)


@pytest.mark.parametrize("attack", ["linf-pgd", "l2-pgd", "linf-pgd-margin", "linf-bim"])
def test_no_step_waits(cuda: torch.device, network: nn.Module, images: Images, attack: str) -> None:
    import foolbox

    made = build(Attack, f"{attack}:steps=5")
    assert isinstance(made, Descent)
    stepper = Stepper(made, foolbox.PyTorchModel(network, (0, 1), device=cuda))
    samples, n = Samples(images.x, images.labels), len(images)
    pace = Pace.of(made, samples, torch.full((n,), 0.1, dtype=torch.float64))
    front = Front.of(stepper.start(pace, list(range(n))), pace, [0] * n, [-1] * n)
    front.advance(stepper, made.steps, heedful=True)  # warm
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            front.advance(stepper, made.steps, heedful=True)
        front.joined(front)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert front.look()[0][0] >= 0


def test_draws_are_the_same_on_every_device(cuda: torch.device) -> None:
    from pretend_device import DEVICE, pretend_device

    with pretend_device():
        x = torch.zeros(3, 1, device=DEVICE)
        pretended = Seeded(x, [1, 2, 3]).uniform((3, 100)).raw.cpu()
    real = Seeded(torch.zeros(3, 1, device=cuda), [1, 2, 3]).uniform((3, 100)).raw.cpu()
    assert torch.equal(real, pretended)


def test_memory_that_runs_out_halves_the_batch(cuda: torch.device, images: Images) -> None:
    class Hungry(nn.Module):
        """Takes 64 MiB per image, more than there is for the whole batch."""

        def forward(self, x: Tensor) -> Tensor:
            wide = x.flatten(1).sum(1)[:, None] * torch.ones(2**24, device=x.device)
            return torch.stack([1 + 0 * wide.mean(1), 0 * wide.mean(1)], 1)

    calm = Images(images.pixels[:16], torch.zeros(16, dtype=torch.long, device=cuda))
    total = torch.cuda.get_device_properties(cuda).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.2 * 2**30 / total), cuda)
    try:
        found = evaluate_model(Hungry(), calm, "linf-bim:steps=2", EPSILONS, batch_size=16)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, cuda)
    assert any("out of memory" in note for note in found.record["notes"])
    assert found.accuracy()["accuracy"].eq(1).all()


def test_a_batch_is_as_large_as_the_memory_allows(
    cuda: torch.device, network: nn.Module, images: Images
) -> None:
    assert fitting(network, images.x) >= 64


def test_workers_share_a_gpu(
    device: torch.device, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What they train is what one trains alone; the first says what it takes."""
    jobs = [
        replace(train_job(tmp_path, seed=seed), where=Where(tmp_path / name, device=device.type))
        for name in ("shared", "alone")
        for seed in range(3)
    ]
    with caplog.at_level("INFO", "robustbench_cli.grid.pool"):
        finished = [*run_jobs(jobs[:3], Workers(3)), *run_jobs(jobs[3:])]
    assert [each.error for each in finished] == [None] * 6
    shared, alone = (contents(tmp_path / name, "*/*.safetensors") for name in ("shared", "alone"))
    assert shared == alone and len(shared) == 3
    takes = [text for text in caplog.messages if " GiB of GPU 0" in text]
    assert len(takes) == (device.type == "cuda")


HOLDER = Kind(("holder",))


@dataclass(frozen=True)
class Holder(FileJob):
    """Holds 1 GiB of a GPU for some seconds, and writes down which."""

    kind: Kind | None = field(default=HOLDER, kw_only=True)

    def run(self, progress: Progress | None = None) -> Path:
        began = time.time()
        held = torch.zeros(2**30, dtype=torch.uint8, device="cuda")
        for step in range(1, 21):
            time.sleep(0.15)
            if progress:
                progress(step, 20, lambda: "holds")
        self.path.write_text(f"{began} {time.time()} {len(held)}")
        return self.path


def test_memory_decides_how_many_share_a_gpu(cuda: torch.device, tmp_path: Path) -> None:
    """Of 5 GiB that another program leaves: 1 GiB each, what CUDA takes itself, and a margin."""
    torch.cuda.empty_cache()
    left = torch.cuda.mem_get_info(cuda)[0] - 5 * 2**30
    other = torch.empty(max(0, left), dtype=torch.uint8, device=cuda)
    jobs = [Holder(tmp_path / str(i)) for i in range(5)]
    finished = run_jobs(jobs, Workers(4))
    del other
    torch.cuda.empty_cache()
    assert [each.error for each in finished] == [None] * 5
    times = [tuple(map(float, job.path.read_text().split()))[:2] for job in jobs]
    at_once = max(sum(begin <= moment < end for begin, end in times) for moment, _ in times)
    assert 2 <= at_once <= 3


def test_a_set_of_tiny_imagenets_size(device: torch.device) -> None:
    count = 100_000 if device.type == "cuda" else 100
    pixels = torch.zeros(count, 3, 64, 64, dtype=torch.uint8, device=device)
    images = Images(pixels, torch.zeros(count, dtype=torch.long, device=device))
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 200)).to(device)
    labels = network(images[:1].x).argmax(1).expand(count).clone()
    found = evaluate_model(network, replace(images, labels=labels), "linf-fgsm", grid(["0.01"]))
    assert found.n == count
