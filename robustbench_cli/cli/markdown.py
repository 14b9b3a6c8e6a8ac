"""Plain docstrings as Markdown: nothing in them is taken for markup that was not meant as such."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc
from textwrap import dedent

_BY_CODE = re.compile(r"(``[^`]*``|`[^`]*`)")
_MARKUP = re.compile(r"([\\*~$])|(?<!\w)(_)|(_)(?!\w)|(<)(?=[A-Za-z/!?])|(\])(?=\()")
_ITEM = re.compile(r"[-*] ")


def escaped(text: str) -> str:
    """A line of text; what stands between backticks is code and stays as it is."""
    parts = _BY_CODE.split(text)
    parts[::2] = [_MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def prose(text: str) -> str:
    """A docstring: paragraphs in one line each, indented blocks as code, lists as lists."""
    return "\n\n".join(map(_block, re.split(r"\n\s*\n", dedent(text).strip("\n"))))


def _block(text: str) -> str:
    lines = text.split("\n")
    if all(line.startswith("    ") for line in lines):
        return fenced(dedent(text))
    items: list[str] = []
    for line in lines:
        if not items or _ITEM.match(line):
            items.append(line)
        else:
            items[-1] += f" {line.strip()}"
    return "\n".join(escaped(item) for item in items)


def fenced(text: str, language: str = "text") -> str:
    return f"```{language}\n{text}\n```"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    safe = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in safe)


def link(heading: str, text: str | None = None) -> str:
    """To a heading of the same page, by GitHub's rule; called as the heading, or as `text`."""
    anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    return f"[{text or heading}](#{anchor})"


def help_text(text: str) -> str:
    """The help of a command: what stands behind a ``\\b`` is lines to type."""
    parts = re.split(r"\n\s*\n", cleandoc(text))
    return "\n\n".join(
        fenced(dedent(part.removeprefix("\b\n")), "sh") if part.startswith("\b") else _block(part)
        for part in parts
    )
