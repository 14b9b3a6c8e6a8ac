"""The page of everything: what is committed is what the code prints, and reads as it was meant."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from console import Cli
from markdown_it import MarkdownIt
from markdown_it.token import Token

from robustbench_cli.cli.app import COMMANDS
from robustbench_cli.cli.markdown import help_text, link, prose, table
from robustbench_cli.spec import ROOMS, defaults, names

PAGE = Path(__file__).parents[2] / "examples" / "reference.md"
PLUGINS = [(room, name) for room in ROOMS for name in names(room)]


def parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def words(tokens: list[Token]) -> list[str]:
    """What a reader sees, code included."""
    seen = (
        child.content
        for token in tokens
        for child in (token.children or [token])
        if child.type in ("text", "code_inline", "fence", "code_block")
    )
    return " ".join(seen).split()


@cache
def sections() -> dict[str, list[Token]]:
    """What stands below each heading of the committed page, up to the next."""
    tokens, found, name = parsed(PAGE.read_text(encoding="utf-8")), {}, ""
    headings = [i for i, token in enumerate(tokens) if token.type == "heading_open"]
    for start, end in zip(headings, [*headings[1:], len(tokens)], strict=True):
        name = tokens[start + 1].content
        assert name not in found, f"two headings say {name}"
        found[name] = tokens[start + 3 : end]
    return found


def test_the_committed_page_is_what_the_code_prints(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "37")
    monkeypatch.setenv("ROBUSTMIX_RUNS", str(tmp_path))
    printed = cli("--explain", "all")
    assert printed.code == 0 and printed.err == ""
    assert printed.out == PAGE.read_text(encoding="utf-8"), (
        f"type: robustmix --explain all > examples/{PAGE.name}"
    )


def test_every_link_leads_to_a_heading_of_its_own() -> None:
    anchors = Counter(re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in sections())
    targets = re.findall(r"\]\(#([^)]*)\)", PAGE.read_text(encoding="utf-8"))
    assert len(targets) > len(PLUGINS) + len(COMMANDS)
    assert {anchors[target] for target in targets} == {1}


def test_nothing_is_taken_for_markup_by_accident() -> None:
    plain = {"text", "code_inline", "softbreak", "link_open", "link_close"}
    for heading, tokens in sections().items():
        for token in tokens:
            assert token.type not in ("html_block", "code_block", "hr"), (heading, token.content)
            kinds = {child.type for child in token.children or []}
            emphasised = {"em_open", "em_close"} if heading.startswith("robustmix:") else set()
            assert kinds <= plain | emphasised, (heading, token.content)


@pytest.mark.parametrize(("room", "name"), PLUGINS)
def test_a_plugin_is_there_with_its_words_and_its_parameters(room: str, name: str) -> None:
    module = importlib.import_module(f"robustbench_cli.{ROOMS[room]}.{name.replace('-', '_')}")
    said = " ".join(words(sections()[f"{name} ({kind(room)})"]))
    expected = " ".join((inspect.getdoc(module) or "").replace("`", " ").split())
    assert squeezed(expected) in squeezed(said)
    for parameter in defaults(room, name):
        assert f" {parameter} " in said


def kind(room: str) -> str:
    return {"analyses": "analysis", "datasets": "data set"}.get(room, room.removesuffix("s"))


def squeezed(text: str) -> str:
    """Without spaces, bullets and backticks, which Markdown may place otherwise."""
    return re.sub(r"[\s`]|(?<=\s)- ", "", text)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.__name__)
def test_a_command_is_there_with_every_option_of_its_help(
    command: object, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    name = command.__name__.replace("_", "-")  # type: ignore[attr-defined]
    rows = cli(name, "--help").out.partition("\nOptions:")[2].splitlines()
    options = {word for row in rows for word in re.findall(r"(?<![\w-])--?[a-z][\w-]*", row[:34])}
    assert options >= {"-h", "--help"}
    shown = set(words(sections()[f"robustmix {name}"]))
    assert options - {"-h", "--help"} <= {word.strip(",") for word in shown}


def test_text_stays_text() -> None:
    text = "a*b*c _x_ <b> ~y~ $z$ &c [0, 1](x) a_b\n1. A line that begins like a list:"
    tokens = parsed(prose(f"{text} `{{a}}_*`"))
    assert {child.type for t in tokens for child in t.children or []} == {"text", "code_inline"}
    assert words(tokens) == [*text.split(), "{a}_*"]


def test_blocks_and_lists_stay_what_they_are() -> None:
    made = prose("One\nparagraph:\n\n    x = 1\n      y = 2\n\n- first\n  of two\n- second")
    assert made == "One paragraph:\n\n```text\nx = 1\n  y = 2\n```\n\n- first of two\n- second"
    assert help_text("Do it.\n\n    \b\n      robustmix run  # it\n    ") == (
        "Do it.\n\n```sh\nrobustmix run  # it\n```"
    )


def test_cells_may_hold_bars_and_links_follow_headings() -> None:
    row = next(t for t in parsed(table(["one"], [["`a|b`"]])) if t.content == "`a|b`")
    assert row.children and row.children[0].content == "a|b"
    assert link("Data sets (all)") == "[Data sets (all)](#data-sets-all)"
