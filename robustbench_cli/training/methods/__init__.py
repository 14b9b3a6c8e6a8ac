"""One file per method; the file's name is its name on the command line."""
