"""Jobs on a Ray cluster."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from robustbench_cli.errors import RunError, UsageError
from robustbench_cli.jobs import Job
from robustbench_cli.worker import Orders

from .attempt import Finished, attempt_far


def stream(
    jobs: Mapping[int, Job],
    address: str,
    gpus_per_job: float,
    setup: Callable[[], None] | None = None,
) -> Iterator[tuple[int, Finished]]:
    """The jobs as they end; `address` of the cluster, or "auto", or "local" to start one here.

    Raises:
        UsageError: no Ray.
    """
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as e:
        raise UsageError('--ray needs Ray: pip install "robustmix[ray]"') from e
    with _own_signals():
        ray.init(address=None if address == "local" else address, log_to_driver=False)
    try:
        gpus = gpus_per_job if ray.cluster_resources().get("GPU") else 0
        remote = ray.remote(num_cpus=1, num_gpus=gpus)(attempt_far)
        orders = Orders(threads=1, setup=setup)  # one thread for the one CPU
        futures = {remote.remote(orders, job): i for i, job in jobs.items()}
        while futures:
            (ready,), _ = ray.wait(list(futures))
            i = futures.pop(ready)
            try:
                yield i, ray.get(ready)
            except ray.exceptions.RayError as e:
                yield i, Finished(jobs[i], error=RunError(f"Ray: {type(e).__name__}"))
    finally:
        ray.shutdown()


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray answers SIGTERM by an exit of its own; whoever called decides that."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)
