"""A whole experiment in one TOML file: train a grid, attack it, transfer, report.

[train]                                   # every key may be a list: the grid is their product
data = "digits"
method = ["plain", "pgd-at", "mixup:alpha={0.2,0.4}+pgd-at"]
seeds = 3
# init = "digits-lenet5-plain-s0"         # a run, or a file, to begin with; and freeze = "conv1"
# class-weights = "balanced"

[select]                                  # left out, as a rule: then all of the grid goes on
measure = "area"                          # the best of each method, on held-out images, goes on
eps-range = "0:0.5:0.05"

[[attack]]                                # any number of these
attack = ["linf-fgsm", "linf-pgd:steps=40"]
eps-range = "0:0.5:0.05"
samples = 200

[[attack]]                                # somebody else's weights, instead of what is trained
checkpoint = "resnet20.th"                # a list is attacked file by file; "A+B" as one
data = "cifar10"                          # also hf:OWNER/REPO; robustbench:NAME needs nothing else
normalise = "imagenet"                    # or "0.1307:0.3081", "guess"; also model, weights-key
eps = "8/255"

[[transfer]]                              # source and target are methods; all by default
source = "plain"                          # or networks: "runs/a+runs/b", a file, robustbench:NAME
attack = "linf-pgd"
eps = "0.1"

[[analyse]]                               # of every run; -o, or [report], draws what is stored
analysis = ["church-window", "per-class"]

[[published]]                             # a printed number, set beside ours
method = "plain"
attack = "linf-fgsm"
eps = "0.1"
value = 32.2
source = "table 1"

[[claim]]                                 # ends as supported, not supported or contradicted
better = "pgd-at"
than = ["plain", "mixup"]
attack = "linf-pgd"
measure = "area"
text = "Training against an attack withstands it best."

[report]
folder = "results"
figures = ["scatter", "history"]          # beside those that every report has

[scale.laptop.train]                      # with --scale laptop; scale.py says how sections change
epochs = 2
"""
