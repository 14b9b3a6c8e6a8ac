"""What is kept of an attack.

outcomes  the numbers of each sample, and how they lie on disk while work goes on
record    all that a reader must know of how they were made: identity, settings, cost, faults
"""
