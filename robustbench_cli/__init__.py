"""robustmix: train robust image classifiers, attack them, and say what the numbers are worth."""
