"""Cross entropy and nothing else (empirical risk minimisation): what every method is held against.

Cost per step: 1 forward, 1 backward.
"""

from __future__ import annotations

from dataclasses import dataclass

from robustbench_cli.training.method import Method


@dataclass(kw_only=True)
class Plain(Method):
    """Changes nothing."""
