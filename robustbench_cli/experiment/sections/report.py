"""``[report]``: where the report goes and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robustbench_cli.epsilon import grid
from robustbench_cli.experiment import values
from robustbench_cli.experiment.plan import ReportConfig
from robustbench_cli.reporting.figure import Figure
from robustbench_cli.spec import build, refuse_unknown

_REPORT = {"folder", "by", "attack", "eps", "figures", "highlight"}


def read(section: Mapping[str, Any]) -> ReportConfig:
    refuse_unknown(section, _REPORT, "[report]")
    return ReportConfig(
        Path(values.typed(section["folder"], str, "[report] folder"))
        if "folder" in section
        else None,
        values.typed(section.get("by", "method"), str, "[report] by"),
        tuple(values.specs(section.get("attack", ()))),
        grid(values.texts(section.get("eps", ()))),
        tuple(
            str(build(Figure, spec, trusted=False))
            for spec in values.specs(section.get("figures", ()))
        ),
        tuple(values.texts(section.get("highlight", ()))),
    )
