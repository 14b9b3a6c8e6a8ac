"""Numbers for tables and figures: by run, by group over seeds, by pair, between networks."""
