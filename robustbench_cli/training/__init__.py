"""Methods, the objective they compose, and the loop that trains."""
