"""What augmentation is made of: image operations on batches, and chains of them."""
