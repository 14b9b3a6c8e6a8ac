"""bottlenecks."""
