"""Each tracker for real, read back by its own reader: skipped where it is not installed.

A run is trained under its eyes, attacked, and told of; then told of again with nothing new.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
from tiny import attack_job, train_job

from robustbench_cli.files import read_json
from robustbench_cli.jobs import TrainJob
from robustbench_cli.runs.run import Run
from robustbench_cli.tracking.memory import FILE
from robustbench_cli.tracking.publish import publish

pytestmark = [
    pytest.mark.filterwarnings("default"),  # their own
    pytest.mark.slow,  # to import them alone takes seconds
]

KEY = "linf-fgsm/0.02"


@dataclass
class Seen:
    """What a reader finds of a run."""

    losses: dict[int, float]
    accuracy: float
    config: dict[str, str]
    table: str
    pictures: int


def of_tensorboard(run: Path, known: str) -> Seen:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"), {"tensors": 0, "scalars": 0, "images": 0})
    events.Reload()

    def text(tag: str) -> str:
        return str(events.Tensors(f"{tag}/text_summary")[-1].tensor_proto.string_val[0].decode())

    written = text("config").strip("`").removeprefix("json")
    return Seen(
        {each.step: each.value for each in events.Scalars("epoch/loss")},
        events.Scalars(KEY)[-1].value,
        {key: str(value) for key, value in json.loads(written).items()},
        text("attacks"),
        len(events.Images("decay-curve")),
    )


def of_mlflow(run: Path, known: str) -> Seen:
    from mlflow import MlflowClient

    client = MlflowClient()
    found = client.get_run(known)
    assert found.info.run_name == run.name and found.info.status == "FINISHED"
    artifacts = Path(url2pathname(urlparse(found.info.artifact_uri).path))
    return Seen(
        {each.step: each.value for each in client.get_metric_history(known, "loss")},
        found.data.metrics[KEY],
        dict(found.data.params),
        (artifacts / "attacks.md").read_text("utf-8"),
        len(list(artifacts.glob("decay-curve.png"))),
    )


def of_trackio(run: Path, known: str) -> Seen:
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    (found,) = trackio.Api().runs("robustmix")
    assert (found.id, found.name) == (known, run.name)
    rows = SQLiteStorage.get_logs("robustmix", run.name, run_id=known)
    tables = [row["attacks"] for row in rows if "attacks" in row]
    return Seen(
        {row["step"]: row["loss"] for row in rows if "loss" in row},
        next(row[KEY] for row in rows if KEY in row),
        {key: str(value) for key, value in found.config.items()},
        json.dumps(tables[-1]),
        sum("decay-curve" in row for row in rows),
    )


def of_wandb(run: Path, known: str) -> Seen:
    """From its transaction logs: that of the training, then that of what came later."""
    from wandb.proto.wandb_internal_pb2 import Record

    seen = Seen({}, float("nan"), {}, "", 0)
    for log in sorted(Path("wandb").glob(f"offline-run-*-{known}/run-{known}.wandb")):
        for data in logged(log.read_bytes()):
            record = Record.FromString(data)
            if record.HasField("run"):
                assert (record.run.run_id, record.run.display_name) == (known, run.name)
                for item in record.run.config.update:
                    seen.config[item.key] = str(json.loads(item.value_json))
            summary = {i.key or i.nested_key[0]: i.value_json for i in record.summary.update}
            if KEY in summary:
                seen.accuracy = json.loads(summary[KEY])
            row = {i.key or "/".join(i.nested_key): i.value_json for i in record.history.item}
            row = {key: json.loads(value) for key, value in row.items()}
            if "loss" in row:
                seen.losses[row["epoch"]] = row["loss"]
            if path := row.get("attacks/path"):
                seen.table = (log.parent / "files" / path).read_text("utf-8")
            seen.pictures += "decay-curve/path" in row
    return seen


def logged(log: bytes) -> Iterator[bytes]:
    """The records of a log as LevelDB has them: blocks of 32 KiB, long records in pieces."""
    place, whole = 7, b""  # behind the name and version of the format
    while place + 7 <= len(log):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack_from("<IHB", log, place)
        whole += log[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # whole, or the last piece
            yield whole
            whole = b""


READERS: dict[str, Callable[[Path, str], Seen]] = {
    "mlflow": of_mlflow,
    "tensorboard": of_tensorboard,
    "trackio": of_trackio,
    "wandb": of_wandb,
}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of a tool's is set, no name is looked up, and no thread is left behind."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("WANDB_", "MLFLOW_", "TRACKIO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # else it is the user's own
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # what adapters set is set back, too
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "WARNING")
    asked: list[str] = []

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "localhost", "::1"):
            asked.append(str(address))
            raise ConnectionRefusedError(address)
        connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    before = set(threading.enumerate())
    yield
    assert not asked
    left = [t for t in threading.enumerate() if t not in before and t.is_alive() and not t.daemon]
    assert not left


@pytest.mark.parametrize("name", READERS)
def test_a_run_is_found_in_the_tool_as_it_is(
    name: str, alone: None, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(name)
    importlib.invalidate_caches()
    made = train_job(Path("runs"), epochs=3)
    run = TrainJob(made.config, made.where, track=(name,)).run()
    ((spec, entry),) = ((k, v) for k, v in read_json(run / FILE).items() if k != "format")
    assert entry["epochs"] == 3
    attack_job(run, "linf-fgsm", "0.01,0.02").run()
    assert publish(run, name) == ["attacks", "decay-curve"]
    assert publish(run, name) == []
    assert read_json(run / FILE)[spec]["id"] == entry["id"]

    seen = READERS[name](run, entry["id"])
    losses = Run.open(run).history().set_index("epoch")["loss"].to_dict()
    assert seen.losses == pytest.approx(losses)
    (evaluation,) = Run.open(run).evaluations()
    accuracy = evaluation.accuracy().set_index("eps")["accuracy"]["0.02"]
    assert seen.accuracy == pytest.approx(accuracy)
    config = Run.open(run).config
    assert {key: seen.config[key] for key in config} == {k: str(v) for k, v in config.items()}
    assert "linf-fgsm" in seen.table and seen.pictures == 1
    assert capfd.readouterr().out == ""
