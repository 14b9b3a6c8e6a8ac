"""What is stored is in the ball, and misclassified when it is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from analysis.networks import halfspaces, images, linear
from fake_runs import make_run
from PIL import Image

from robustbench_cli.analysis.analyse import analyse_model
from robustbench_cli.analysis.analyses.adversarials import Adversarials
from robustbench_cli.data.dataset import Images
from robustbench_cli.errors import UsageError
from robustbench_cli.reporting.analyses import collect_analyses
from robustbench_cli.reporting.formats.images import pixels, write_images
from robustbench_cli.runs.analysed import Analysed


def digits(network: torch.nn.Module, n: int = 6) -> Images:
    """uint8 images, as data sets have them."""
    drawn = (images(network, n).pixels * 255).round().byte()
    return Images(drawn, network(drawn.float() / 255).argmax(1))


@pytest.mark.parametrize(
    ("spec", "norm"), [("attack=linf-pgd:steps=5", np.inf), ("attack=l2-pgd:steps=5", 2)]
)
def test_stored_images_are_in_the_ball_and_fool_when_read_back(
    tmp_path: Path, spec: str, norm: float
) -> None:
    network = linear(4)
    test = digits(network)
    made = analyse_model(network, test, f"adversarials:{spec},eps=0.2,0.4,images=6")
    table = Analysed.load(made.save(tmp_path)).table
    assert table["adversarial"].any() and table["eps"].tolist() == ["0.2"] * 6 + ["0.4"] * 6
    clean, image = (pixels(table, name).astype(float) for name in ("clean", "image"))
    np.testing.assert_array_equal(clean.astype(np.float32), test.x.numpy()[table["index"]])
    moved = np.linalg.norm((image - clean).reshape(len(table), -1), norm, axis=1)
    assert (moved <= table["eps"].astype(float) * (1 + 1e-6)).all()
    assert image.min() >= 0 and image.max() <= 1
    answers = network(torch.from_numpy(pixels(table, "image").copy())).argmax(1).numpy()
    assert (answers == table["prediction"]).all()
    assert ((answers != table["label"]) == table["adversarial"]).all()
    np.testing.assert_allclose(moved, table["distance"], rtol=1e-6)


def test_png_files_hold_what_was_judged_and_losses_are_said(tmp_path: Path) -> None:
    w = torch.ones(16)
    x = torch.full((2, 1, 4, 4), 100, dtype=torch.uint8)
    x[1] += 1
    network = halfspaces(w, offset=-16 * 99.8 / 255)  # crossed within a fifth of a grey level
    test = Images(x, torch.ones(2, dtype=torch.long))
    run = make_run(tmp_path / "runs")
    made = analyse_model(network, test, Adversarials(attack="linf-fgsm", eps="0.25/255,3/255"))
    made.save(run.path / "analyses")
    (answer,) = collect_analyses([run])
    table = answer.analysed.table
    assert table["adversarial"].tolist() == [True, False, True, True]
    assert table["survives"].tolist() == [False, False, True, True]
    written, warnings = write_images([answer], tmp_path / "out")
    assert warnings == [
        f"{run.name}: 1 of 3 PNGs no longer fool the network, because 8 bits hold no such pixels: "
        "0-eps=0.25_255.png"
    ]
    names = {path.name for path in written if path.suffix == ".png"}
    assert names == {"0-eps=0.25_255.png", "0-eps=3_255.png", "1-eps=3_255.png"}
    for path in written:
        if path.suffix == ".png":
            read = torch.from_numpy(np.array(Image.open(path)))[None, None] / 255
            fooled = int(network(read).argmax()) != 1
            assert fooled == (path.name != "0-eps=0.25_255.png")
    (archive,) = [path for path in written if path.suffix == ".npz"]
    with np.load(archive, allow_pickle=False) as arrays:
        assert arrays["saved"].dtype == np.uint8 and arrays["image"].shape == (4, 1, 4, 4)
        assert arrays["eps"].tolist() == ["0.25/255"] * 2 + ["3/255"] * 2


def test_a_minimal_attack_runs_once_without_an_epsilon() -> None:
    network = linear(3)
    found = analyse_model(network, digits(network), "adversarials:attack=l2-deepfool,images=3")
    assert found.table["eps"].tolist() == ["", "", ""] and found["adversarial"] == 1


def test_a_certificate_is_no_picture() -> None:
    with pytest.raises(UsageError, match="makes no adversarials"):
        Adversarials(attack="certify")
