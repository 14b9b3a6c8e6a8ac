"""The referee: one network, the whole protocol, a page and a file that other programs read.

robustmix card resnet20.th --data cifar10 --minutes 30

- `protocol.py` says what is done to a network at each strength
- `pilot.py` looks at a few images, to know how fast the network answers and how much breaks
- `price.py` makes seconds of that, and `budget.py` chooses samples and strength by them
- `plan.py` turns the choice into the jobs that there are: attacks, transfers, analyses
- `card.py` runs them, and has the page and `card.json` written (`reporting/card/`)

The order is that of a referee: clean accuracy, random noise, one step, PGD, adversarials of another
network, common corruptions, the worst case; in each norm at the epsilon that papers compare at.
"""
