"""What a referee found about one network, as a document that other programs read, and as a table.

- `parts.py` says what was done and where its records lie
- `document.py` reads them and makes the document, `schema.py` says what its keys hold
- `shown.py` makes the table of it; the page is in `reporting/page/card.py`
"""
