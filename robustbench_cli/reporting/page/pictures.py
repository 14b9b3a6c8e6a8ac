"""Clean image, adversarial and difference as pixels, from stored `adversarials` analyses."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.formats.images import pixels

from .element import el

IMAGES = 4  # of a run, one below the other
MOST_BYTES = 250_000  # of all pictures of a page, as they lie in it
_SIDE = 96  # larger pictures are shrunk to this
_NEEDS = ("eps", "label", "prediction", "confidence", "clean_confidence", "adversarial")


def adversarials(answers: Sequence[Answer]) -> list[Element]:
    """A figure for each run that comes first in its group; as many as the page has room for."""
    made: list[Element] = []
    size = 0
    firsts = {(*a.key, a.group): a for a in reversed(answers) if a.name == "adversarials"}
    parts = list(_parts(list(firsts.values())[::-1]))
    for number, (answer, rows) in enumerate(parts):
        try:
            triples = list(_triples(rows, answer.classes))
        except (ValueError, TypeError, KeyError) as e:
            where = f"{answer.run.path}: what is stored of {answer.spec}"
            remedy = f"robustmix analyse {answer.run.path} -n {answer.spec} --force"
            raise RunError(f"{where} is damaged ({e}); type: {remedy}") from e
        size += sum(len(picture.get("src", "")) for t in triples for picture in t.iter("img"))
        if size > MOST_BYTES and made:
            left = len(parts) - number
            made.append(
                el("p", f"{left} more are left out: a page has room for so many.", class_="small")
            )
            break
        made.append(el("figure", el("figcaption", _title(answer, rows)), *triples, class_="images"))
    return made


def _parts(answers: Sequence[Answer]) -> Iterator[tuple[Answer, pd.DataFrame]]:
    """Those that are pictures and have all that is shown, a part for each epsilon."""
    for answer in answers:
        table = answer.analysed.table
        whole = {*_NEEDS, "shape", "clean", "image"} <= set(table) and len(table)
        if whole and str(table["shape"].iloc[0]).startswith(("1x", "3x")):
            for _, rows in table.groupby("eps", sort=False, dropna=False):
                yield answer, rows.head(IMAGES)


def _title(answer: Answer, rows: pd.DataFrame) -> str:
    seed, eps = answer.run.config.get("seed"), rows["eps"].iloc[0]
    words = [answer.label, "" if seed is None else f"seed {seed}"]
    words += [str(answer.parameters.get("attack", "")), f"ε={eps}" if eps and eps == eps else ""]
    return ", ".join(filter(None, words)) + ": clean, adversarial, difference"


def _triples(rows: pd.DataFrame, classes: Sequence[str]) -> Iterator[Element]:
    clean, image = pixels(rows, "clean"), pixels(rows, "image")
    change = image - clean
    factor = 0.5 / max(float(np.abs(change).max()), 1e-9)
    for i, row in enumerate(rows.to_dict("records")):
        was, taken = (_class(int(row[key]), classes) for key in ("label", "prediction"))
        sure = f"{was}, {100 * row['clean_confidence']:.0f} %"
        says = f"{taken}, {100 * row['confidence']:.0f} %"
        says = f"taken for {says}" if row["adversarial"] else f"held: {says}"
        yield el(
            "div",
            _picture(clean[i], f"clean image of {was}", sure),
            _picture(image[i], f"adversarial of it, {says}", says),
            _picture(0.5 + factor * change[i], "their difference", f"difference × {factor:.3g}"),
            class_="triple",
        )


def _picture(image: np.ndarray, alt: str, below: str) -> Element:
    """(C, H, W) in [0, 1], of one or three channels."""
    from PIL import Image

    bits = (image.clip(0, 1) * 255).round().astype(np.uint8)
    grey = len(bits) == 1
    picture = Image.fromarray(bits[0] if grey else np.ascontiguousarray(bits.transpose(1, 2, 0)))
    picture.thumbnail((_SIDE, _SIDE))
    content = io.BytesIO()
    picture.save(content, format="PNG", optimize=True)
    source = f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"
    return el("span", el("img", src=source, alt=alt), el("small", below))


def _class(index: int, classes: Sequence[str]) -> str:
    return classes[index] if 0 <= index < len(classes) else str(index)
