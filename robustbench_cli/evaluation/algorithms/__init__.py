"""What attack files are made of: searches, steps, starts, losses and targets."""
