"""The sections of an experiment's file, one file each."""
