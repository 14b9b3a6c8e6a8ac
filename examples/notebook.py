"""The whole of robustmix from Python, cell by cell: python examples/notebook.py

Open it as a notebook (every `# %%` is a cell), or read it as a script.
"""

# %% Train two methods, two seeds each. A run that exists is not trained again.
from robustbench_cli import (
    Batch,
    compose,
    eps_range,
    evaluate,
    figure,
    load_predictor,
    table,
    train,
    transfer,
)

runs = [
    train(data="digits", model="lenet5", method=method, epochs=2, train_fraction=0.5, seed=seed)
    for method in ("plain", "mixup:alpha=0.4+pgd-at:steps=3")
    for seed in (0, 1)
]
print(runs[0].history())

# %% Attack them over a grid of epsilons: exact, in pixels of [0, 1], both ends included.
for run in runs:
    for attack in ("linf-fgsm", "linf-pgd:steps=10"):
        result = evaluate(run, attack=attack, epsilons=eps_range("0:0.2:0.05"), samples=50)
print(result.accuracy())

# %% Every row of every sample is there.
print(result.samples.query("eps == '0.1' and prediction != label").head())

# %% The table of `robustmix report`, and its picture.
print(table(runs, epsilons="0.1,0.2"))
figure("decay-curve", runs, attack="linf-pgd").savefig("decay.png", dpi=150)

# %% Do adversarials made on one network fool another?
for shown in transfer(runs[0], runs, attack="linf-pgd:steps=10", epsilons=0.1, samples=50):
    print(shown.record["target"], "white box" * shown.record["white_box"])
    print(shown.accuracy()[["eps", "accuracy"]])

# %% The network itself: pixels in [0, 1] go in, logits come out.
model = load_predictor(runs[0])

# %% Methods around a training loop of your own.
import torch  # noqa: E402
from torch import nn  # noqa: E402

net = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(5408, 10)
)
objective = compose(net, "als+sat+advprop", dataset="digits")
optimizer = torch.optim.SGD(objective.model.parameters(), lr=0.1)
for _ in range(3):
    batch = Batch.of(torch.rand(32, 1, 28, 28), torch.randint(10, (32,)), classes=10)
    optimizer.zero_grad()
    objective(batch).loss.backward()
    optimizer.step()

# %% A network and images that are just there: no file, no spec. The result is kept all the same.
images, labels = torch.rand(20, 1, 28, 28), torch.randint(10, (20,))
result = evaluate(net, data=(images, labels), attack="linf-fgsm", epsilons=0.1)
print(result.accuracy())
