"""``report -o report.html`` and ``run -o report.html``, as they are typed."""

from __future__ import annotations

from pathlib import Path

from console import Cli
from pages import read, tables


def test_a_page_from_one_command(cli: Cli, attacked: Path) -> None:
    typed = ("report", "-a", "linf-fgsm", "-e", "0.02", "--against", "plain", "-o", "a b/it.html")
    found = cli(*typed)
    assert found.code == 0 and "wrote a b/it.html" in found.err
    assert found.out == cli(*typed[:-2]).out, "stdout has the table"
    page = read(Path("a b/it.html").read_text("utf-8"))
    assert page.every("code")[-1].text == (
        "robustmix report runs --attack linf-fgsm --eps 0.02 --against plain --output 'a b/it.html'"
    )
    commands = [node.text for node in page.every("code") if " train " in node.text]
    assert any("--method mixup" in line and "--epochs" in line for line in commands)
    assert cli(*commands[0].split()[1:], "--dry-run").out.startswith("done"), "the same run"
    assert {row["run"] for row in tables(page)["Training"]} == {p.name for p in attacked.iterdir()}
    assert "history" in [node.text for node in page.every("figcaption")]


def test_slips(cli: Cli, attacked: Path) -> None:
    assert "x.html is a page; leave --json out" in cli("report", "--json", "-o", "x.html").line
    assert "x.html: no table format '.html'" in cli("attack", "runs", "-o", "x.html").line
    Path("it.toml").write_text('[train]\ndata = "digits"\n')
    found = cli("run", "it.toml", "-o", "x.html")
    assert found.code == 2 and "it.toml attacks and analyses nothing, so x.html" in found.line
    assert not Path("x.html").exists()
