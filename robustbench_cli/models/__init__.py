"""Networks: normalisation inside, pixels in [0, 1] outside."""
