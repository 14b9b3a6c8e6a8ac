"""Numbers laid out: sections, rows, columns, and what must be said below them."""
