"""One file per check; the file's name is its name on the command line."""
