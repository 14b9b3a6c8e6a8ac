"""augmenting."""
