"""The report as one HTML page that is sent on: offline, readable anywhere, for everybody.

- `element.py` builds elements, of which every text is escaped because there is no other way in
- `tables.py`, `curves.py`, `plots.py` and `pictures.py` make one kind of content each, `checks.py`,
  `costs.py` and `origin.py` one section each
- `card.py` is the page of a single network's card, with the bars of `bars.py`
- `page.py` puts the sections in their order; `page.css` and `page.js` lie beside it and are put
  inside the page, which loads nothing

Without its script a page holds the same numbers, pictures and words; the script sorts tables,
switches lines off and says the value under a finger.
"""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".html", ".htm")


def is_page(path: Path | None) -> bool:
    """Whether a file of this name is to be a page."""
    return path is not None and path.suffix.lower() in SUFFIXES
