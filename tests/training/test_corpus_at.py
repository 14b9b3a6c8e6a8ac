"""The offline corpus: made of training images, only successes, stored with what it depends on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small import CLASSES, make_batch
from tiny import contents, tiny, train_job

from robustbench_cli.data.dataset import Data, open_data
from robustbench_cli.data.datasets.spirals import Spirals
from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.jobs.corpus import make_corpus
from robustbench_cli.runs.run import Run
from robustbench_cli.spec import build
from robustbench_cli.training.adversarial.offline import Corpus
from robustbench_cli.training.batch import Batch, Outcome
from robustbench_cli.training.deploy import load_predictor
from robustbench_cli.training.method import Method
from robustbench_cli.training.train import Trainer

DATA = "spirals:samples=40"


@pytest.fixture
def source(tmp_path: Path) -> Run:
    return Run.open(train_job(tmp_path, epochs=20, lr=0.05).run())


def data() -> Data:
    return open_data(Spirals(samples=40), Path())


def stored(run: Run) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    (path,) = (run.path / "corpus").glob("*.safetensors")
    return load_file(path), json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("attack", ["linf-pgd:steps=5", "l2-deepfool"])
def test_it_holds_the_verified_successes_among_the_training_images(
    source: Run, attack: str
) -> None:
    train, network = data().train, load_predictor(source)
    corpus = make_corpus(source, train, attack, 0.15, DATA)
    kept, record = stored(source)
    clean, index = network(train.x).argmax(1), kept["index"]
    assert 0 < len(index) < len(train)
    assert (network(corpus.x).argmax(1) != corpus.labels).all(), "the source scores 0 % on it"
    assert (clean == train.labels)[index].all(), "what it got wrong anyway is no success"
    assert torch.equal(corpus.labels, train.labels[index]) and len(index.unique()) == len(index)
    moved = (corpus.x - train.x[index]).flatten(1)
    length = moved.abs().amax(1) if attack.startswith("linf") else moved.norm(dim=1)
    assert (length <= 0.15 + 1e-6).all() and corpus.x.min() >= 0 and corpus.x.max() <= 1
    assert record["identity"]["attack"] == attack and record["identity"]["eps"] == "3/20"
    assert record["identity"]["norm"] == attack[: attack.index("-")]
    assert record["identity"]["weights"] == source.weights_digest
    assert record["identity"]["images"] == train.digest()
    assert record["tried"] == len(train) and record["kept"] == len(index)


def test_it_is_made_once_and_anew_where_the_source_or_the_images_changed(source: Run) -> None:
    train = data().train
    make_corpus(source, train, "linf-fgsm", 0.15, DATA)
    before = contents(source.path / "corpus")
    (path,) = (source.path / "corpus").glob("*.safetensors")
    stamp = path.stat().st_mtime_ns
    make_corpus(source, train, "linf-fgsm", 0.15, DATA)
    assert path.stat().st_mtime_ns == stamp
    make_corpus(source, train[:20], "linf-fgsm", 0.15, DATA)
    assert len(contents(source.path / "corpus")) == 2 * len(before)


def test_each_batch_takes_its_share_from_the_corpus() -> None:
    corpus = Corpus(torch.full((3, 3, 8, 8), 0.5), torch.tensor([3, 3, 3]))
    for blend, count in ((0.0, 0), (0.5, 4), (0.7, 5), (1.0, 8)):
        method = build(Method, f"corpus-at:source=x,blend={blend}")
        method.take(corpus)
        batch, seen = make_batch(), []

        def rest(model: object, shown: Batch, seen: list[Batch] = seen) -> Outcome:
            seen.append(shown)
            return Outcome(torch.zeros(()), shown.y)

        method.step(None, batch, rest)
        (shown,) = seen
        assert torch.equal(shown.x[:count], torch.full((count, 3, 8, 8), 0.5))
        assert (shown.y[:count].argmax(1) == 3).all() and shown.y.shape == (8, CLASSES)
        assert torch.equal(shown.x[count:], batch.x[count:])
        assert torch.equal(shown.y[count:], batch.y[count:])


def test_a_job_crafts_it_and_a_killed_training_ends_the_same(source: Run, tmp_path: Path) -> None:
    method = f"corpus-at:source={source.path},attack=linf-pgd:steps=5/linf-fgsm,eps=0.15"
    straight = train_job(tmp_path / "a", method=method, epochs=4).run()
    assert len(list((source.path / "corpus").glob("*.safetensors"))) == 2
    job = train_job(tmp_path / "b", method=method, epochs=4)

    class Killed(BaseException):
        pass

    def progress(done: int, total: int, text: object) -> None:
        if done > 0.7 * total:
            raise Killed

    with pytest.raises(Killed):
        job.run(progress)
    assert contents(job.run(), "*.safetensors") == contents(straight, "*.safetensors")
    plain = train_job(tmp_path / "c", epochs=4).run()
    assert contents(plain, "*.safetensors") != contents(straight, "*.safetensors")
    load_predictor(Run.open(straight))  # which needs no corpus


def test_the_source_may_be_named_without_its_folder(source: Run, tmp_path: Path) -> None:
    method = f"corpus-at:source={source.path.name},attack=linf-fgsm,eps=0.15"
    job = train_job(tmp_path, method=method, epochs=1)
    assert job.where.runs == source.path.parent and job.needs == (source.path,)
    job.run()
    assert (source.path / "corpus").is_dir()


def test_refusals(source: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a trained network to attack: corpus-at:source="):
        tiny(method="corpus-at")
    with pytest.raises(RunError, match="is no run"):
        train_job(tmp_path / "x", method=f"corpus-at:source={tmp_path / 'nowhere'}").run()
    with pytest.raises(RunError, match="no image fools it at 0; choose a larger eps"):
        train_job(tmp_path / "x", method=f"corpus-at:source={source.path},eps=0").run()
    with pytest.raises(UsageError, match="has no corpus"):
        config = tiny(method=f"corpus-at:source={source.path}")
        Trainer(config, data(), tmp_path / "y").run()
