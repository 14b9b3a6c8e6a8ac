"""Which sample meets which epsilon, when, and in which batch.

schedules     one sample's next epsilon, and what the last one said: ascending, independent, bisect
chunk         the way through one chunk: in lanes, mixed, in rounds, or all epsilons at once
lanes, steps  gradient descent whose batch holds a sample, a ball and a step size in every lane
mixed         attacks that take a whole batch, with an epsilon for each of its samples
rounds        attacks that take a whole batch at one epsilon
transferring  one chunk crafted on a source and shown to its targets
auditing      some samples attacked at every epsilon: does the schedule's shortcut hold?
"""
