"""What adversarial training is made of: the inner maximisation, and images attacked beforehand."""
