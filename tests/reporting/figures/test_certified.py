from __future__ import annotations

from pathlib import Path

import pytest
from fake_runs import make_evaluation, make_run

from robustbench_cli.errors import RunError
from robustbench_cli.reporting.report import figure


def test_a_certificate_beside_attacks_in_its_norm(tmp_path: Path) -> None:
    plain, mixup = make_run(tmp_path), make_run(tmp_path, "mixup")
    plain.save(make_evaluation([0.5, 1.5], "certify", "l2", "0:1:0.5", view="smoothed"))
    for run in (plain, mixup):
        run.save(make_evaluation([1.0, 1.5], "l2-pgd", "l2", "0:1:0.5"))
        run.save(make_evaluation([0.1, 0.1]))
    drawing = figure("certified", [plain, mixup])
    (panel,) = drawing.axes
    assert panel.get_title() == "plain"
    assert panel.get_xlabel() == "radius (L2, pixels in [0, 1])"
    names = [text.get_text() for text in drawing.legends[0].get_texts()]
    assert names == ["certified: certify", "attacked: l2-pgd, deployed"]
    certified, attacked = panel.get_lines()
    assert list(certified.get_ydata()) == [100, 50, 50]
    assert list(attacked.get_ydata()) == [100, 100, 50]


def test_attacks_on_a_defended_network_say_so(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.5], "certify", "l2", "0:1:0.5", view="smoothed"))
    behind = {"attack": "l2-pgd", "defence": "smoothing"}
    run.save(make_evaluation([0.9], "l2-pgd", "l2", "0:1:0.5", identity=behind))
    names = [text.get_text() for text in figure("certified", run).legends[0].get_texts()]
    assert names == ["certified: certify", "attacked: l2-pgd behind smoothing"]


def test_no_certificates(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.save(make_evaluation([0.5]))
    with pytest.raises(RunError, match=r"type: robustmix attack .* -a certify"):
        figure("certified", run)
