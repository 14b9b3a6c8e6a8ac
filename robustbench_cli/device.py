"""Where and how torch computes: device, seeds, determinism, precision, threads."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import numpy as np
import torch

from .errors import UsageError

CUBLAS = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""Without it products of matrices may differ from run to run; read when CUDA starts."""

_FILLING: Any = torch.utils.deterministic

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def choose(name: str = "auto") -> torch.device:
    """The device called `name`; ``auto`` is cuda, else mps, else cpu.

    Raises:
        UsageError: no such device here.
    """
    os.environ.setdefault(*CUBLAS)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        raise UsageError(f"no device {name!r} here; type --device auto, cpu, cuda or mps") from e
    return device


def describe(device: torch.device) -> str:
    """The device as a result should name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def seed_everything(*seeds: int) -> None:
    """Make every generator a function of `seeds`, so that no random state need be stored."""
    mixed = int(np.random.SeedSequence(seeds).generate_state(1)[0])
    random.seed(mixed)
    np.random.seed(mixed)
    torch.manual_seed(mixed)


def deterministic(device: torch.device) -> None:
    """Kernels that add up in the same order each time, where there are such; float32 is no TF32."""
    cudnn = torch.backends.cudnn
    cudnn.benchmark, cudnn.deterministic = False, True
    cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if device.type == "cuda":
        torch.set_deterministic_debug_mode("warn")  # its namesake loads PyTorch's compiler
        _FILLING.fill_uninitialized_memory = False  # it only costs time
        warnings.filterwarnings("ignore", ".* does not have a deterministic implementation.*")


@contextmanager
def reproducible(device: torch.device) -> Iterator[None]:
    """`deterministic` while open; afterwards everything is as it was."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    chosen = cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32
    mode, fills = torch.get_deterministic_debug_mode(), _FILLING.fill_uninitialized_memory
    with warnings.catch_warnings() if device.type == "cuda" else nullcontext():
        try:
            deterministic(device)
            yield
        finally:
            cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32 = chosen
            if device.type == "cuda":
                torch.set_deterministic_debug_mode(mode)
                _FILLING.fill_uninitialized_memory = fills


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had too little memory; its libraries have errors of their own for that."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _NO_MEMORY)


_NO_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Mixed precision for training: bfloat16 where ``auto`` finds a GPU that has it, else float32.

    Raises:
        UsageError: a precision that the device cannot compute in.
    """
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        precision = "bfloat16" if fast else "float32"
    if precision == "float32":
        return nullcontext()
    if precision == "float16" and device.type == "cpu":
        raise UsageError("float16 needs a GPU; type --precision bfloat16 or float32")
    return torch.autocast(device.type, getattr(torch, precision))
