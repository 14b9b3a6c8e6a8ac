"""``report --claims``: finished runs judged by a file."""

from __future__ import annotations

import json
from pathlib import Path

from console import Cli

CLAIMS = """\
[[published]]
method = "plain"
attack = "linf-fgsm"
eps = "0.01"
value = 50
source = "table 1"

[[claim]]
text = "mixup is better."
better = "mixup"
than = ["plain", "vib"]
measure = "clean"
"""


def test_claims_about_real_runs(cli: Cli, attacked: Path) -> None:
    Path("claims.toml").write_text(CLAIMS)
    found = cli("report", "--claims", "claims.toml")
    assert found.code == 0 and "(table 1)" in found.out
    assert "mixup > plain, clean accuracy: worthless: clean accuracy" in found.out, "of two epochs"
    assert "mixup > vib, clean accuracy: missing: no run of vib" in found.out
    document = json.loads(cli("report", "--claims", "claims.toml", "--json").out)
    assert [claim["verdict"] for claim in document["claims"]] == ["worthless", "missing"]
    drawn = cli("report", "--claims", "claims.toml", "--figure", "claims", "-o", "it.png")
    assert drawn.code == 0 and Path("it.png").stat().st_size > 5000
    assert cli("report", "--claims", "claims.toml", "-o", "claims.md").code == 0
    assert "| mixup > plain |" in Path("claims.md").read_text()


def test_slips_in_claims(cli: Cli, attacked: Path) -> None:
    Path("claims.toml").write_text(CLAIMS.replace("better =", "beter ="))
    found = cli("report", "--claims", "claims.toml")
    assert found.code == 2
    assert "claims.toml: [[claim]] has no 'beter'; did you mean 'better'?" in found.line
    found = cli("report", "--claims", "none.toml")
    assert found.code == 2 and "cannot read none.toml: No such file" in found.line
    found = cli("report", "--figure", "claims", "-o", "it.png")
    assert found.code == 2 and "no claims to draw; name their file: report --claims" in found.line
