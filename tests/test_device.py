"""Where and how torch computes, told without a GPU: names, determinism, memory."""

from __future__ import annotations

import os
import warnings

import pytest
import torch

from robustbench_cli import device as devices
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import RunError
from robustbench_cli.evaluation.isolation import fenced

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def settings() -> tuple[object, ...]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return (
        *(cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
    )


def test_on_cuda_everything_adds_up_in_one_order_and_is_undone_afterwards() -> None:
    before, filters = settings(), list(warnings.filters)
    with devices.reproducible(CUDA):
        assert settings() == (False, True, False, False, True, True, False)
        warnings.warn("x does not have a deterministic implementation, but", stacklevel=1)
    assert settings() == before and warnings.filters == filters


def test_on_a_cpu_only_what_concerns_gpus_is_set() -> None:
    before = settings()
    with fenced():
        assert settings() == (False, True, False, False, *before[4:])
    assert settings() == before


def test_cublas_is_told_before_cuda_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = devices.CUBLAS
    monkeypatch.delenv(name, raising=False)
    devices.choose("cpu")
    assert os.environ[name] == value
    monkeypatch.setenv(name, ":16:8")  # somebody's own choice stays
    devices.choose("cpu")
    assert os.environ[name] == ":16:8"


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (torch.OutOfMemoryError("whatever"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("CUDA out of memory"), False),
    ],
)
def test_libraries_have_errors_of_their_own_for_a_full_memory(
    error: Exception, memory: bool
) -> None:
    assert devices.is_out_of_memory(error) == memory


def test_images_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: torch.Tensor, *args: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    set_of_images = Images(torch.zeros(4, 3, 64, 64, dtype=torch.uint8), torch.zeros(4).long())
    monkeypatch.setattr(torch.Tensor, "to", full)
    with pytest.raises(RunError, match=r"4 images of 0\.0 GiB do not fit .* --train-fraction"):
        set_of_images.to(CPU)
