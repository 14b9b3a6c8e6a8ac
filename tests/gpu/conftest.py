"""Tests that need a GPU; `run.py` runs them with all that is measured."""

from __future__ import annotations

import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on", default="cuda", help="cpu: a rehearsal, without what only CUDA has")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "gpu":
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    name = request.config.getoption("--on", default="cuda")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return torch.device(name)


@pytest.fixture
def cuda(device: torch.device) -> torch.device:
    if device.type != "cuda":
        pytest.skip("only on CUDA")
    return device
