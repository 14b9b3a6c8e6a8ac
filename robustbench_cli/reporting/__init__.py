"""From run directories to what people read; needs no torch, and trains and attacks nothing.

What flows through, in order, and the word for it:

- a *selection* (`selection.py`) is what was asked for: runs, attacks, epsilons, what a row stands
  for.
- `numbers/` makes numbers: one *frame* of all runs, *labels* for runs that differ in the seed
  only, a *curve* for each group with its intervals, comparisons, transfers.
- *statements* (`statements.py`) are what others say: published numbers, set beside ours, and
  claims, which are judged.
- `tables/` lays them out: sections, rows, columns, cells, and *notes* on what to believe.
- `formats/` writes a table as text, Markdown, LaTeX, CSV or JSON; `figures/` draws, one file for
  each; `page/` puts all of them into one HTML file.
- `card/` is about one network and one protocol: a document for programs, and its table.

`report.py` is the door: `table`, `figure`, and `everything.py` into a folder or on a page.
Intervals are made in `statistics/`, verdicts in `trust/`.
"""
