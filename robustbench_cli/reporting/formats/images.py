"""Images out of stored tables: as arrays, as PNG files, and all of them as one .npz."""

from __future__ import annotations

import io
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from robustbench_cli.files import replacing, slug
from robustbench_cli.reporting.analyses import Answer
from robustbench_cli.reporting.tables.cells import listing


def pixels(table: pd.DataFrame, column: str) -> np.ndarray:
    """(n, C, H, W): float32 in [0, 1], or uint8 of what a file would hold (`saved`)."""
    kind = np.uint8 if column == "saved" else np.float32
    shapes = [tuple(map(int, text.split("x"))) for text in table["shape"]]
    texts = table[column]
    return np.stack(
        [
            np.frombuffer(b64decode(text, validate=True), kind).reshape(shape)
            for text, shape in zip(texts, shapes, strict=True)
        ]
    )


def write_images(answers: Sequence[Answer], folder: Path) -> tuple[list[Path], list[str]]:
    """PNGs of every verified adversarial, and an .npz of each analysis; the files, and warnings.

    The .npz holds arrays clean, image (float32), saved (uint8), index, label, prediction,
    adversarial, survives, and eps as text; images are (n, C, H, W).
    """
    written, warnings = [], []
    for answer in answers:
        table = answer.analysed.table
        stem = f"{slug(answer.run.name)}-{slug(answer.spec)}"
        found = table[table["adversarial"]]
        names = [
            folder / stem / f"{index}{'-eps=' * bool(eps)}{slug(eps)}.png"
            for index, eps in zip(found["index"], found["eps"], strict=True)
        ]
        for path, image in zip(names, pixels(found, "saved") if len(found) else [], strict=True):
            _png(image, path)
        lost = [path.name for path, kept in zip(names, found["survives"], strict=True) if not kept]
        if lost:
            warnings.append(
                f"{answer.run.name}: {len(lost)} of {len(names)} PNGs no longer fool the network, "
                f"because 8 bits hold no such pixels: {listing(lost)}"
            )
        _npz(table, folder / f"{stem}.npz")
        written += [*names, folder / f"{stem}.npz"]
    return written, warnings


def _png(image: np.ndarray, path: Path) -> None:
    """uint8 (C, H, W), of one or three channels."""
    from PIL import Image

    grey = len(image) == 1
    picture = Image.fromarray(image[0] if grey else np.ascontiguousarray(image.transpose(1, 2, 0)))
    with replacing(path) as beside:
        picture.save(beside, format="PNG")


def _npz(table: pd.DataFrame, path: Path) -> None:
    arrays = {name: pixels(table, name) for name in ("clean", "image", "saved")}
    for name in ("index", "label", "prediction", "adversarial", "survives"):
        arrays[name] = table[name].to_numpy()
    arrays["eps"] = table["eps"].to_numpy().astype(str)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    with replacing(path) as beside:
        beside.write_bytes(content.getvalue())
