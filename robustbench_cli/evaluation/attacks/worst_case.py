"""Worst case of a diverse set: each sample's union over attacks of one norm, cheapest first.

The habit of AutoAttack (Croce & Hein 2020, arXiv:2003.01690): a sample is robust only if it
withstands every member. Each sees what the earlier ones left:

    linf    fgsm, apgd-ce, apgd-t, square
    l2      fgm, apgd-ce, fab, apgd-t, square
    l1      apgd-ce, fab, apgd-t, square
    l0      sigma-zero, fmn

apgd-t and fab aim at the nearest classes first (Melamed et al. 2024, arXiv:2407.02240). With fewer
than four classes, where the targeted ratio is not defined, pgd-margin stands for it (nothing in
L1). In Linf, fab breaks nothing that the others leave, and is left out; elsewhere it has 200 steps
at least, since each brings it nearer by a share of the way only.
Nearly all of the work goes into samples that withstand everything, most of which are not even
close; with `patience`, Auto-PGD gives those up early, and so do Square, with a third of it because
there the pace since the start counts in full (in L2 and L1, where it is slower, with two thirds),
and fab, with a quarter; each sample by its own pace alone. Square begins with squares of 80 % of
the image in every norm, as in AutoAttack: smaller ones find less where gradients are flat.
After three targets, apgd-t goes on with samples that a ball larger by the share `far` would break,
should the label's lead go on falling with the radius as it fell up to there. Whether a sample that
nearly broke is broken is the luck of the draws: it has `restarts` starts of each member that draws,
if a ball larger by the share `near` would do. `norm` chooses the set; norms are never mixed.
Cost per epsilon for a sample that withstands all of it: at most 1 + `steps` · (1 + `targets`)
forwards and backwards (in L2 and L1 200 · `targets` more), and `queries` forwards; with the
default patience a fifth of the steps and a sixth of the queries, or less; for the few that nearly
broke, all of it `restarts` times. In L0, where `steps` alone counts, 2 · `steps` forwards and
backwards, and some forty forwards.
The column `member` says which of them broke a sample first, the record's `members` what each of
them broke and cost. What a member breaks alone cannot be seen from that, since later ones are not
shown it: with `every-member` all are shown every broken sample, at their own cost, and no accuracy
changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from robustbench_cli.evaluation.algorithms.union import Union
from robustbench_cli.evaluation.attack import Attack
from robustbench_cli.spec import build, param

_ARRIVED = 200
"""Steps after which FAB's adversarials come hardly nearer."""


@dataclass(kw_only=True)
class WorstCase(Union):
    positional: ClassVar[str | None] = "norm"
    norm: Literal["linf", "l2", "l1", "l0"] = param("linf", "norm of every member")  # type: ignore[misc]

    steps: int = param(100, "gradient steps, of apgd-t per target", low=1)
    targets: int = param(9, "classes that apgd-t and fab aim at", low=1)
    queries: int = param(5000, "images that square shows per sample", low=1)
    patience: float | None = param(
        4.5, "apgd, fab and square give up what would not break at so many times its pace", low=0
    )
    restarts: int = param(3, "starts of apgd and square for what nearly broke", low=1)
    near: float = param(0.1, "nearly broke: in a ball larger by this share, it would", low=0)
    far: float = param(
        0.5, "more than three targets only where a ball larger by this share would do", low=0
    )
    every_member: bool = param(
        False, "show each what others broke, too: what does it break that no other does"
    )

    def members(self, classes: int) -> list[Attack]:
        if self.norm == "l0":
            texts = [f"sigma-zero:steps={self.steps}", f"fmn:steps={self.steps}"]
        else:
            texts = self._in_a_ball(classes)
        return [build(Attack, f"{self.norm}-{text}") for text in texts]

    def _in_a_ball(self, classes: int) -> list[str]:
        again = f"restarts={self.restarts},near={self.near}"
        ascent = f"steps={self.steps},patience={self._patience()},{again}"
        nearest = f"targets={self.targets},order=nearest"
        found = {"linf": ["fgsm"], "l2": ["fgm"]}.get(self.norm, [])
        found += [f"apgd-ce:{ascent}"]
        if self.norm != "linf":
            steps = max(self.steps, _ARRIVED)
            found += [f"fab:steps={steps},patience={self._patience(1 / 4)},{nearest}"]
        if classes >= 4:
            found += [f"apgd-t:{ascent},{nearest},far={self.far}"]
        elif self.norm != "l1":
            found += [f"pgd-margin:steps={self.steps}"]
        patience = self._patience(1 / 3 if self.norm == "linf" else 2 / 3)
        square = f"queries={self.queries},p-init=0.8,patience={patience},{again},together=64"
        return [*found, f"square:{square}"]

    def _patience(self, share: float = 1.0) -> float | str:
        return self.patience * share if self.patience else "none"
