"""What bottleneck methods are made of: stochastic layers, and moments of codes by class."""
