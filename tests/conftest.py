"""One thread: on small networks several threads are many times slower."""

import torch

torch.set_num_threads(1)
