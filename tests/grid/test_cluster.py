"""A real cluster of two nodes on this machine; it takes half a minute, so it has to be asked for:

TEST_RAY_OF_ROBUSTMIX=1 python -m pytest -n 0 tests/grid/test_cluster.py
"""

from __future__ import annotations

import importlib.util
import os
import threading
from pathlib import Path

import pytest
from tiny import contents, train_job

from robustbench_cli.grid import Finished, Workers, run_jobs
from robustbench_cli.spec import allow_code

ASKED = "TEST_RAY_OF_ROBUSTMIX" in os.environ  # conftest removes ROBUSTMIX_*

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="Ray is not installed"),
    pytest.mark.skipif(not ASKED, reason="set TEST_RAY_OF_ROBUSTMIX"),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

OWN = """
from robustbench_cli import Method

class Blur(Method):
    \"\"\"Changes nothing.\"\"\"
"""


def test_own_code_and_a_node_that_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    try:
        cluster.wait_for_nodes()
        monkeypatch.chdir(tmp_path)  # after the nodes began elsewhere: paths are the parent's
        Path("own_lab_for_ray.py").write_text(OWN)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr("robustbench_cli.spec.registry._allowed", set())
        allow_code("own_lab_for_ray")  # as if typed
        ended: list[Finished] = []

        class Taker:
            """Takes a node away once the first job is done."""

            def begin(self, jobs: int, finished: int, workers: int) -> None: ...
            def step(self, *_: object) -> None: ...
            def end(self, finished: Finished) -> None:
                ended.append(finished)
                if len(ended) == 1:
                    threading.Thread(target=cluster.remove_node, args=(second,)).start()

        methods = ("plain", "own_lab_for_ray:Blur")
        jobs = [
            train_job(Path("runs"), method=method, seed=seed, epochs=60)
            for method in methods
            for seed in range(3)
        ]
        finished = run_jobs(jobs, Workers(ray=cluster.address), Taker())
        assert [str(f.error) for f in finished if f.error] == []
        for job in jobs[2:4]:
            train_job(
                Path("alone"), method=job.config.method, seed=job.config.seed, epochs=60
            ).run()
        weights = "*/model.safetensors"
        alone = contents(Path("alone"), weights)
        found = contents(Path("runs"), weights)
        assert len(found) == len(jobs) and {k: found[k] for k in alone} == alone != {}
    finally:
        cluster.shutdown()
