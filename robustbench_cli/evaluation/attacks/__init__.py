"""One file per attack; the file's name is its name on the command line."""
