"""Tables, statistics and figures from run directories; needs no torch."""
