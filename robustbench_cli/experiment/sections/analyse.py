"""``[[analyse]]``: a look inside each run that ``[train]`` trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from robustbench_cli.errors import UsageError
from robustbench_cli.experiment import values
from robustbench_cli.jobs import AnalyseJob, TrainJob, Where, make_question
from robustbench_cli.spec import refuse_unknown

_ANALYSE = {"analysis", "seed", "view", "defence"}


def read(
    name: str, section: Mapping[str, Any], train: Sequence[TrainJob], where: Where, force: bool
) -> Iterable[AnalyseJob]:
    """The jobs of a section called `name`, in one of its two spellings."""
    refuse_unknown(section, _ANALYSE, f"[[{name}]]")
    options = values.options(section, {"seed": int, "view": str}, f"[[{name}]]")
    specs = values.specs(section.get("analysis", ()))
    if not specs:
        raise UsageError(f'[[{name}]] needs an analysis: analysis = "church-window"')
    for job in train:
        for defence in values.specs(section.get("defence", "plain")):
            for text in specs:
                question = make_question(text, job.config.data, defence=defence, **options)
                yield AnalyseJob(job.path, question, where, force)
