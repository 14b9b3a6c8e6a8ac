"""Epsilons that are usual in the literature, by norm, in pixels of [0, 1].

L∞ and L2: RobustBench and Madry et al. 2018. L1: 10 on MNIST (Maini, Wong & Kolter 2020,
arXiv:1909.04068), 12 on CIFAR-10 (Croce & Hein 2021, arXiv:2103.01208). L0: 12 values on MNIST
(Schott et al. 2019, arXiv:1805.09190); 24 pixels, 72 values, on CIFAR-10 (Croce et al. 2022,
arXiv:2006.12834).
"""

GREY = {"linf": "0.1", "l2": "1", "l1": "10", "l0": "12"}
GREY_TRAINING = {"linf": "8/255", "l2": "128/255", "l1": "10", "l0": "12"}
GREY_RANGES = {"linf": "0:0.5:0.025", "l2": "0:5:0.25", "l1": "0:20:1", "l0": "0:40:2"}

COLOUR = {"linf": "8/255", "l2": "0.5", "l1": "12", "l0": "72"}
COLOUR_TRAINING = {"linf": "8/255", "l2": "128/255", "l1": "12", "l0": "72"}
COLOUR_RANGES = {"linf": "0:16/255:1/255", "l2": "0:2:0.1", "l1": "0:24:1", "l0": "0:120:6"}

SHARES = {"eps": "1", "train_eps": "1", "ranges": "0:1:0.1"}
"""Where no norm measures the change: of the largest that the attack makes."""

Quoted = dict[str, tuple[str, str]]
"""By norm: the epsilon at which papers compare networks on a data set, and which papers."""

_MAINI = "Maini, Wong & Kolter 2020, arXiv:1909.04068"
_SCHOTT = "Schott et al. 2019, arXiv:1805.09190"
_PIXELS = "24 pixels in three colours: Croce et al. 2022, arXiv:2006.12834"
QUOTED_MNIST: Quoted = {
    "linf": ("0.3", "Madry et al. 2018, arXiv:1706.06083"),
    "l2": ("2", _MAINI),
    "l1": ("10", _MAINI),
    "l0": ("12", _SCHOTT),
}
QUOTED_CIFAR: Quoted = {
    "linf": ("8/255", "RobustBench"),
    "l2": ("0.5", "RobustBench"),
    "l1": ("12", "Croce & Hein 2021, arXiv:2103.01208"),
    "l0": ("72", _PIXELS),
}
QUOTED_SVHN: Quoted = {
    "linf": ("8/255", "Rice, Wong & Kolter 2020, arXiv:2002.11569"),
    "l2": ("128/255", "Rice, Wong & Kolter 2020, arXiv:2002.11569"),
}
QUOTED_FASHION: Quoted = {"linf": ("0.1", "Wong & Kolter 2018, arXiv:1711.00851")}
OWN = ""
"""No paper's, but that of this package's own examples."""
