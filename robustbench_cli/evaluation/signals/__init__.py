"""One file per measurement; the file's name is its key in a record's ``signals``."""
