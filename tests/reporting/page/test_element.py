from __future__ import annotations

import pytest
from pages import read

from robustbench_cli.reporting.page.element import el, render

NASTY = ["<script>alert(1)</script>", '" onload="x', "a & b &lt;", "</title></style>", "' <!-- ]]>"]


@pytest.mark.parametrize("text", NASTY)
def test_what_goes_in_comes_out_as_text(text: str) -> None:
    root = read(render(el("p", text, el("b", text), text, title=text)))
    (p,) = root.every("p")
    assert p.attributes == {"title": text}
    assert p.text == 3 * text
    assert [node.tag for node in root.every()] == ["p", "b"]


def test_attributes_are_named_as_in_html() -> None:
    made = el("a", class_="b", aria_label="c", viewBox="0 0 1 1", hidden=None)
    assert made.attrib == {"class": "b", "aria-label": "c", "viewBox": "0 0 1 1"}


def test_nothing_that_a_document_may_not_hold() -> None:
    text = render(el("p", "a\x00b\x1b[31m\udcffc", title="\x07"))
    assert text.encode("utf-8").decode("utf-8").count("\N{REPLACEMENT CHARACTER}") == 4
