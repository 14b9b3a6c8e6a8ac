"""Which sample meets which epsilon, when, and in which batch."""
