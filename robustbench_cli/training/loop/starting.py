"""What a training begins with: the weights of a finished run, or of a file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from robustbench_cli import files
from robustbench_cli.errors import RobustmixError, RunError
from robustbench_cli.models.beginning import begin
from robustbench_cli.models.checkpoint import load_state
from robustbench_cli.models.fitting import Match, compare
from robustbench_cli.models.model import Model, Normalise
from robustbench_cli.models.normalisation import Statistics, usual, written
from robustbench_cli.models.own import open_architecture
from robustbench_cli.runs.run import Run
from robustbench_cli.training.config import TrainConfig
from robustbench_cli.training.deploy import load_predictor

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """`place`: the directory of a run, or a checkpoint file. `key`: of the file's sets of weights.

    `name` is what users call it. `normalise`: how its images are normalised, and `trained_on`: its
    data set, where that is known of a file.
    """

    name: str
    place: Path
    key: str | None = None
    normalise: str = ""
    trained_on: str = ""

    @cached_property
    def digest(self) -> str:
        """Of the weights as they are when it is first asked for.

        Raises:
            RunError: they are not there.
        """
        try:
            if self.place.is_file():
                return files.digest(self.place)
            return Run.open(self.place).weights_digest
        except (OSError, RunError) as e:
            raise RunError(f"--init {self.name}: {e}") from e

    def refuse_changed(self, path: Path, record: Mapping[str, Any]) -> None:
        """
        Raises:
            RunError: the run at `path`, which this is the record of, began with other weights.
        """
        if record.get("began", {}).get("digest") != self.digest:
            raise RunError(
                f"{path} began with other weights than {self.name} holds now; "
                "choose another --runs-dir, or type --force to train it again"
            )

    def begin(self, model: Model, config: TrainConfig) -> dict[str, Any]:
        """Put the weights into a new network; returns what run.json says of that.

        The normalisation that comes with the weights does, too, unless the config wants none.

        Raises:
            RobustmixError: they cannot be read, or do not fit; one line.
        """
        mark, own = self.digest, model.normalise
        try:
            begun = begin(model, self._state(model))
        except RobustmixError as e:
            raise type(e)(f"--init {self.name}: {e}") from e
        if not config.normalise:
            model.normalise = own
        elif self.normalise:
            model.normalise = Normalise(*self._statistics(own))
        _log.warning("begins with %s: %s", self.name, begun.how)
        self._say_seen(config)
        return {"digest": mark, "new": list(begun.new)}

    def _statistics(self, own: Normalise) -> Statistics:
        """Of the normalisation by name or in numbers; `own` is that of the data."""
        mean, std = own.mean.flatten().tolist(), own.std.flatten().tolist()
        known = usual(mean, std).get(self.normalise)
        return known or written(self.normalise, len(mean))

    def _say_seen(self, config: TrainConfig) -> None:
        """That held-out images are no measure, where the weights may know them."""
        file = self.place.is_file()
        known: dict[str, Any] = {"data": self.trained_on} if file else Run.open(self.place).config
        if known.get("data") == config.data and known.get("validation", 0) < config.validation:
            _log.warning(
                "%s may have been trained on images that are held out here, so accuracy on them "
                "says too much; its own share of them was %g",
                *(self.name, known.get("validation", 0)),
            )

    def _state(self, model: Model) -> Mapping[str, Tensor]:
        if self.place.is_file():
            made = open_architecture(model.architecture, trusted=False)

            def renamed(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
                return made.renamed(state, model.network)

            def fits(state: Mapping[str, Tensor]) -> bool:
                return isinstance(compare(renamed(state), model.network), Match)

            return renamed(load_state(self.place, self.key, fits))
        return load_predictor(Run.open(self.place), view="bare").state_dict()
