"""One file per figure; the file's name is its name on the command line."""
