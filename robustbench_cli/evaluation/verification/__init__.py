"""No adversarial counts unless it is in its ball, and misclassified by the network itself.

ball       distances in float64, and rounding that stays inside
eight_bit  images as a file would hold them
verify     the second look at every adversarial, without the attack
"""
