"""What mixing methods are made of: shares, saliency, tiles, and masks that choose among images."""
