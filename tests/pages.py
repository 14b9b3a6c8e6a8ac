"""An HTML page as its reader gets it: a tree from a strict parser, and the tables in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"br", "meta", "img"}


@dataclass
class Node:
    tag: str
    attributes: dict[str, str]
    parts: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    def every(self, *tags: str) -> list[Node]:
        """All below with one of the tags; with none named, all."""
        below = [part for part in self.parts if isinstance(part, Node)]
        return [n for b in below for n in ([b] * (not tags or b.tag in tags) + b.every(*tags))]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def read(text: str) -> Node:
    """Fails where an element is closed that was not open, or left open."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    (root,) = reader.open
    return root


def tables(root: Node) -> dict[str, list[dict[str, str]]]:
    """Caption -> a dictionary for each row, by the names of the columns."""
    found = {}
    for table in root.every("table"):
        (caption,) = table.every("caption")
        head, *rows = table.every("tr")
        names = [cell.text for cell in head.every("th")]
        cells = [[cell.text for cell in row.every("th", "td")] for row in rows]
        found[caption.text] = [dict(zip(names, row, strict=True)) for row in cells]
    return found
