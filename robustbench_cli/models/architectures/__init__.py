"""One file per architecture; the file's name is its name on the command line."""
