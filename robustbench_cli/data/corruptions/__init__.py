"""Common corruptions of pictures: read from their authors' files, or made here.

Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and
perturbations", ICLR 2019, arXiv:1903.12261: fifteen corruptions at five severities each.

- `corruption.py`: which there are, and the one call that corrupts a batch.
- `noise.py`, `blur.py`, `weather.py`, `digital.py`: the corruptions by kind; each takes images
  (N, C, H, W) in [0, 1], a severity from 1 to 5 and a generator, and gives images of that shape.
- `resampling.py`: borders, smoothing, enlarging and reading between pixels, which they share.
- `made.py` and `published.py`: sources of corrupted test images, block by block.
"""
