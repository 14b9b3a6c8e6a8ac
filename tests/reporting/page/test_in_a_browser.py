"""The page in Chromium: it sorts, switches, highlights, answers keys, fits a phone and the dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import CHROMIUM, Browser, browser
from fake_runs import make_study

from robustbench_cli.reporting.everything import gather
from robustbench_cli.reporting.selection import Selection

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium"),
    pytest.mark.slow,
]

EVIL = "x:<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    folder = tmp_path_factory.mktemp("browser")
    runs = make_study(folder / "runs", ["plain", "pgd-at", EVIL], 1, ["linf-fgsm"], n=50)
    gather(Selection.of(runs), paged=True).save_page(folder / "it.html")
    with browser(folder / "profile") as found:
        yield found.open(folder / "it.html")


@pytest.fixture
def page(tab: Browser) -> Browser:
    """As it is when it was just opened."""
    tab.run("window.left = true")
    tab.call("Page.reload")
    tab.call("Emulation.clearDeviceMetricsOverride")
    tab.call("Emulation.setEmulatedMedia", features=[])
    while tab.run("document.readyState === 'complete' && !window.left") is not True:
        pass
    return tab


def column(page: Browser, number: int) -> list[str]:
    script = "[...document.querySelectorAll('#TABLE tbody tr')].map(r => r.cells[N].textContent)"
    page.run("document.querySelectorAll('.tables table')[0].id = 'TABLE'")
    found: list[str] = page.run(script.replace("[N]", f"[{number}]"))
    return found


def test_nothing_is_blocked_or_breaks(page: Browser) -> None:
    assert page.run("document.title") == "Robustness of 3 networks on digits"
    assert page.run("document.documentElement.className") == "lively", "its own script runs"
    assert page.run("document.scripts.length") == 1
    assert page.run("performance.getEntriesByType('resource').length") == 0
    assert page.complaints == []
    page.run(
        "document.body.append(Object.assign(document.createElement('script'),"
        "{textContent: 'document.title = `taken`'}))"
    )
    assert page.run("document.title") != "taken", "and no other"
    page.complaints.clear()


def test_a_heading_sorts_by_number_then_the_other_way(page: Browser) -> None:
    before = column(page, 2)
    page.run("document.querySelectorAll('#TABLE thead button')[2].click()")
    numbers = [float(text.split()[0]) for text in column(page, 2)]
    assert numbers == sorted(float(text.split()[0]) for text in before)
    assert page.run("document.querySelectorAll('#TABLE th')[2].ariaSort") == "ascending"
    page.run("document.querySelectorAll('#TABLE thead button')[2].click()")
    assert [float(text.split()[0]) for text in column(page, 2)] == numbers[::-1]
    page.run("document.querySelectorAll('#TABLE thead button')[0].click()")
    assert column(page, 0) == ["pgd-at", "plain", EVIL]


def test_lines_are_switched_off_and_groups_highlighted(page: Browser) -> None:
    drawn = "getComputedStyle(document.querySelector('.line[data-group=\"1\"]')).display"
    assert page.run(drawn) == "inline"
    page.run("document.querySelector('[data-show=\"1\"]').click()")
    assert page.run(drawn) == "none"
    assert page.run("document.querySelector('[data-show=\"1\"]').ariaPressed") == "false"
    page.run("document.querySelector('[data-all=true]').click()")
    assert page.run(drawn) == "inline"
    page.run("document.querySelector('[data-mark=\"1\"]').click()")
    marked = "[...document.querySelectorAll('.marked')].map(e => e.tagName)"
    assert sorted(set(page.run(marked))) == ["TR", "g"]
    faint = "+getComputedStyle(document.querySelector('.line[data-group=\"0\"]')).opacity"
    assert page.run(faint) < 0.5


def test_values_by_keys(page: Browser) -> None:
    page.run("document.querySelector('svg.curves').focus()")
    said = "document.querySelector('output').textContent"
    page.press("ArrowRight")
    assert page.run(said).startswith("plain, ε=0: ")
    page.press("ArrowRight")
    assert page.run(said).startswith("plain, ε=0.025: ")
    page.press("ArrowDown")
    assert page.run(said).startswith("pgd-at, ε=0.025: ")


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_over_the_edge(page: Browser, width: int) -> None:
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=True,
    )
    assert page.run("innerWidth") == width
    assert page.run("document.documentElement.scrollWidth") <= width


def test_the_dark(page: Browser) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.run(ground) == "rgb(255, 255, 255)"
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    page.call("Emulation.setEmulatedMedia", features=dark)
    assert page.run(ground) == "rgb(23, 23, 26)"
