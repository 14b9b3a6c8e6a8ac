"""HTML and SVG as a tree of the standard library, so that no text can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

Part = Element | str | None

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def el(tag: str, *parts: Part, **attributes: object) -> Element:
    """``el("p", "text", class_="note", aria_label="...")``; None is left out everywhere."""
    made = Element(tag)
    for key, value in attributes.items():
        if value is not None:
            made.set(key.rstrip("_").replace("_", "-"), printable(str(value)))
    return add(made, parts)


def add(parent: Element, parts: Iterable[Part]) -> Element:
    """Texts and elements below an element, in their order; the element itself."""
    for part in parts:
        if isinstance(part, Element):
            parent.append(part)
        elif part and len(parent):
            parent[-1].tail = (parent[-1].tail or "") + printable(part)
        elif part:
            parent.text = (parent.text or "") + printable(part)
    return parent


def printable(text: str) -> str:
    """Without what no document may hold: control characters, and halves of characters."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def render(root: Element) -> str:
    """A whole document."""
    return "<!doctype html>\n" + tostring(root, encoding="unicode", method="html") + "\n"
