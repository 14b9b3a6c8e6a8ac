"""Thirty-odd published files of weights, as a stranger hands them over: adopted, asked or wrong?

    python tests/benchmarks/published.py --data-dir DATA --weights FOLDER

FOLDER holds the files under the names of `FILES`, whose comments say which repository each is from;
what is not there is left out. Every file is attacked as by
``robustmix attack FILE --data DATA -a linf-fgsm -e EPS --samples N``. Beside it stands what the
repository's own definition of the network and of its input gives on the same images, computed here
in plain PyTorch. A file that is asked about is attacked again with the answer typed.

adopted    and both accuracies are the truth's, within the interval of N images
asked      and with the answer typed they are the truth's to half a point
refused    no number: these data are not the network's
WRONG      another number, or a question whose answer does not help

Half an hour of one CPU. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from robustbench_cli.adopt import adopt
from robustbench_cli.data.dataset import Data, Dataset, Images, open_data
from robustbench_cli.epsilon import Eps
from robustbench_cli.errors import RobustmixError
from robustbench_cli.evaluation.evaluate import evaluate_model
from robustbench_cli.jobs.attack_config import make_attack_config
from robustbench_cli.models.model import make
from robustbench_cli.models.own import open_architecture
from robustbench_cli.spec import allow_code, build
from robustbench_cli.statistics.intervals import half_width

Make = Callable[[], nn.Module]


def chain(
    channels: int,
    convolutions: Sequence[tuple[int, int, int, int]],
    linear: Sequence[int],
    activation: Make = nn.ReLU,
) -> nn.Module:
    """Convolutions as (channels, kernel, stride, padding), then linear layers, the classes last."""
    layers: list[nn.Module] = []
    for outputs, kernel, stride, padding in convolutions:
        layers += [nn.Conv2d(channels, outputs, kernel, stride, padding), activation()]
        channels = outputs
    layers.append(nn.Flatten())
    for before, after in pairwise(linear):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


class AdvertorchLeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
        self.linear1, self.linear2 = nn.Linear(3136, 200), nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.linear2(F.relu(self.linear1(x)))  # type: ignore[no-any-return]


class Masked(nn.Module):
    """ReLU, but a line of its own where the mask is 1."""

    def __init__(self, *size: int) -> None:
        super().__init__()
        for name in ("mask", "slope", "bias"):
            self.register_buffer(name, torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=0) * (1 - self.mask) + (x * self.slope + self.bias) * self.mask  # type: ignore[operator]


class MaskedCNN(nn.Module):
    """alpha-beta-CROWN's example of an activation of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.linear_masked_relu1 = nn.Conv2d(3, 16, 4, 2, 1), Masked(16, 16, 16)
        self.conv2, self.linear_masked_relu2 = nn.Conv2d(16, 32, 4, 2, 1), Masked(32, 8, 8)
        self.linear1, self.linear_masked_relu3 = nn.Linear(2048, 100), Masked(100)
        self.linear2 = nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear_masked_relu1(self.conv1(x))
        x = self.linear_masked_relu2(self.conv2(x)).flatten(1)
        return self.linear2(self.linear_masked_relu3(self.linear1(x)))  # type: ignore[no-any-return]


class Residual(nn.Module):
    """A block of He et al. for CIFAR, or of alpha-beta-CROWN (no norms; a learned shortcut)."""

    def __init__(self, inputs: int, outputs: int, stride: int, norms: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=not norms)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=not norms)
        self.norms, self.more = norms, outputs - inputs
        if norms:
            self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.stride, self.shortcut = stride, nn.Sequential()
        if not norms and (stride > 1 or self.more):
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(x)
        h = self.conv2(F.relu(self.bn1(h) if self.norms else h))
        if not self.norms:
            return F.relu(h + self.shortcut(x))
        if self.stride > 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(self.bn2(h) + x)


class AkamasterResNet(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        inputs = 16
        for i, width in enumerate((16, 32, 64), 1):
            blocks = [Residual(inputs, width, 1 + (i > 1), norms=True)]
            blocks += [Residual(width, width, 1, norms=True) for _ in range(depth // 6 - 1)]
            self.add_module(f"layer{i}", nn.Sequential(*blocks))
            inputs = width
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for i in (1, 2, 3):
            x = self.get_submodule(f"layer{i}")(x)
        return self.linear(x.mean((2, 3)))  # type: ignore[no-any-return]


class ResNet4b(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 2, 1)
        two = Residual(16, 32, 2, norms=False), Residual(32, 32, 1, norms=False)
        more = Residual(32, 32, 2, norms=False), Residual(32, 32, 1, norms=False)
        self.layer1, self.layer2 = nn.Sequential(*two), nn.Sequential(*more)
        self.linear1, self.linear2 = nn.Linear(512, 100), nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer2(self.layer1(F.relu(self.conv1(x)))).flatten(1)
        return self.linear2(F.relu(self.linear1(x)))  # type: ignore[no-any-return]


def small(channels: int, side: int, one: int = 16, two: int = 32, padding: int = 1) -> Make:
    """Two 4x4 convolutions with stride 2, and 100: the network of most of these files."""
    left = ((side + 2 * padding - 2) // 2 + 2 * padding - 2) // 2
    shapes = [(one, 4, 2, padding), (two, 4, 2, padding)]
    return partial(chain, channels, shapes, [two * left**2, 100, 10])


def marabou(width: int) -> Make:
    shapes = [(width, 4, 2, 0), (2 * width, 4, 2, 0)]
    return partial(chain, 3, shapes, [72 * width, 128, 64, 10])


PIXELS = "0:1"
MNIST = "0.1307:0.3081"
CIFAR = "0.4914,0.4822,0.4465:0.2471,0.2435,0.2616"
BATCHWISE = "0.4914,0.4822,0.4465:0.2023,0.1994,0.2010"
IMAGENET = "0.485,0.456,0.406:0.229,0.224,0.225"
WONG = "0.485,0.456,0.406:0.225,0.225,0.225"  # one deviation for all channels
SMALL_GREY, SMALL_COLOUR = small(1, 28), small(3, 32)


class File(NamedTuple):
    """What the repository says of a file."""

    name: str
    data: str
    eps: str
    truth: Make
    normalise: str
    key: str = ""  # of several sets of weights
    model: str = ""  # to type where it cannot be found out
    clean: float | None = None  # % of all 10,000 test images, where the repository says so


FILES = (
    # Verified-Intelligence/alpha-beta-CROWN, complete_verifier: model_defs.py, data_utils.py and
    # exp_configs. models/bab_attack:
    File(
        *("MadryCNN_no_maxpool_tiny.pt", "mnist", "0.1"),
        partial(chain, 1, [(4, 5, 2, 2), (8, 5, 2, 2)], [392, 128, 10]),
        PIXELS,
    ),
    # models/cifar10_resnet, custom_op, eran, non_relu, marabou_cifar10, oval and sdp:
    File("resnet4b.pth", "cifar10", "2/255", ResNet4b, CIFAR, clean=77.20),
    File(
        *("cifar_wide_adv.pth", "cifar10", "2/255", MaskedCNN, CIFAR),
        model="published:MaskedCNN",
        clean=73.38,
    ),
    File("cifar_conv_small_pgd.pth", "cifar10", "2/255", small(3, 32, padding=0), BATCHWISE),
    File(
        *("mnist_6_100_nat.pth", "mnist", "0.026"),
        *(partial(chain, 1, [], [784, *[100] * 5, 10]), PIXELS),
    ),
    File(
        *("mnist_9_200_nat.pth", "mnist", "0.015"),
        *(partial(chain, 1, [], [784, *[200] * 8, 10]), PIXELS),
    ),
    File("mnist_conv_small_nat.pth", "mnist", "0.12", small(1, 28, padding=0), MNIST),
    File(
        *("cifar_conv_small_sigmoid.pth", "cifar10", "2/255"),
        partial(
            *(chain, 3, [(16, 4, 2, 0), (32, 4, 2, 0)], [1152, 100, 10]), activation=nn.Sigmoid
        ),
        BATCHWISE,
        clean=63.17,
    ),
    File("cifar_marabou_small.pth", "cifar10", "2/255", marabou(8), PIXELS, clean=63.14),
    File("cifar_marabou_medium.pth", "cifar10", "2/255", marabou(16), PIXELS),
    File("cifar_marabou_large.pth", "cifar10", "2/255", marabou(32), PIXELS),
    File("cifar_base.pth", "cifar10", "2/255", small(3, 32, 8, 16), WONG),
    File(
        *("cifar_deep.pth", "cifar10", "2/255"),
        partial(
            *(chain, 3, [(8, 4, 2, 1), (8, 3, 1, 1), (8, 3, 1, 1), (8, 4, 2, 1)], [512, 100, 10])
        ),
        WONG,
    ),
    File("cifar_wide.pth", "cifar10", "2/255", SMALL_COLOUR, WONG),
    File("cifar_cnn_a_adv.model", "cifar10", "2/255", SMALL_COLOUR, CIFAR),
    File("cifar_cnn_a_adv4.model", "cifar10", "2/255", SMALL_COLOUR, CIFAR),
    File("cifar_cnn_a_mix.model", "cifar10", "2/255", SMALL_COLOUR, CIFAR),
    File("mnist_cnn_a_adv.model", "mnist", "0.3", SMALL_GREY, PIXELS),
    # BorealisAI/advertorch, advertorch_examples/trained_models:
    File("advertorch_mnist_lenet5_advtrained.pt", "mnist", "0.3", AdvertorchLeNet, PIXELS),
    # locuslab/fast_adversarial, MNIST/models:
    File("fast_adversarial_pgd_madry.pth", "mnist", "0.3", SMALL_GREY, PIXELS),
    # akamaster/pytorch_resnet_cifar10, pretrained_models:
    *(
        File(
            *(f"akamaster_resnet{depth}-{mark}.th", "cifar10", "2/255"),
            *(partial(AkamasterResNet, depth), IMAGENET),
            clean=clean,
        )
        for depth, mark, clean in (
            (32, "d509ac18", 92.63),
            (44, "014dd654", 93.10),
            (56, "4bfd9763", 93.39),
        )
    ),
    # Verified-Intelligence/auto_LiRPA, examples/vision/pretrained; of the second nobody says more:
    File("lirpa_mnist_a_adv.pth", "mnist", "0.3", SMALL_GREY, PIXELS),
    File(
        *("lirpa_cifar_2c2f.pth", "cifar10", "2/255"),
        *(partial(chain, 3, [(4, 3, 1, 0), (4, 3, 1, 0)], [3136, 32, 10]), PIXELS),
    ),
    File("lirpa_kw_mnist.pth", "mnist", "0.1", SMALL_GREY, PIXELS),
    File(
        *("lirpa_mnist_cnn_small.pth", "mnist", "0.3"),
        *(partial(chain, 1, [(8, 4, 2, 1), (16, 4, 2, 1)], [784, 256, 10]), PIXELS),
    ),
    File(
        *("lirpa_mnist_fc_3layer.pth", "mnist", "0.03"),
        *(partial(chain, 1, [], [784, 128, 64, 10]), PIXELS),
    ),
    # locuslab/convex_adversarial, models, models_scaled and models_scaled_l2; lists are cascades:
    File("convex_mnist.pth", "mnist", "0.1", SMALL_GREY, PIXELS, clean=98.2),
    File("convex_fashion_mnist.pth", "fashion-mnist", "0.1", SMALL_GREY, PIXELS),
    File("convex_svhn.pth", "cifar10", "2/255", SMALL_COLOUR, ""),
    File("convex_mnist_small_0_3.pth", "mnist", "0.3", SMALL_GREY, PIXELS, "state_dict.0"),
    File("convex_cifar_small_8px.pth", "cifar10", "2/255", SMALL_COLOUR, WONG, "state_dict.0"),
    File("convex_cifar_small_36px.pth", "cifar10", "2/255", SMALL_COLOUR, WONG, "state_dict.0"),
)


class Numbers(NamedTuple):
    clean: float
    attacked: float

    def __str__(self) -> str:
        return f"{self.clean:.1%} {self.attacked:.1%}"

    def near(self, other: Numbers, width: float = 0.0) -> bool:
        return all(
            abs(a - b) <= (width or half_width(b, N)) for a, b in zip(self, other, strict=True)
        )


N = 500


def weights(path: Path, key: str) -> dict[str, Tensor]:
    held = torch.load(path, map_location="cpu", weights_only=True)
    if "state_dict" in held:
        held = held["state_dict"]
    return held[int(key.rpartition(".")[2] or 0)] if isinstance(held, list) else held


def truth(file: File, path: Path, images: Images) -> tuple[Numbers, float]:
    """On the first N images, and clean accuracy on all of them."""
    network = file.truth().eval()
    held = {k.removeprefix("module."): v for k, v in weights(path, file.key).items()}
    own = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    if not held.keys() >= {*own}:  # those of a chain, numbered otherwise
        held = dict(zip(own, held.values(), strict=True))
    network.load_state_dict(held, strict=False)  # not the counters of batch norms
    mean, std = (
        torch.tensor([float(n) for n in part.split(",")]).view(1, -1, 1, 1)
        for part in file.normalise.split(":")
    )
    top, _, bottom = file.eps.partition("/")
    eps = float(top) / float(bottom or 1)
    right, left = [], []
    for x, labels in zip(images.x.split(250), images.labels.split(250), strict=True):
        pixels = x.clone().requires_grad_()
        logits = network((pixels - mean) / std)
        right.append(logits.argmax(1) == labels)
        if len(left) * 250 < N:
            (slope,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), pixels)
            moved = (x + eps * slope.sign()).clamp(0, 1)
            still = network((moved - mean) / std).argmax(1) == labels
            left.append(still & right[-1])
    clean = torch.cat(right).float()
    attacked = torch.cat(left)[:N].float().mean()
    return Numbers(float(clean[:N].mean()), float(attacked)), float(clean.mean())


def said(file: File, path: Path, folder: Path, data: Data, **typed: str) -> tuple[str, Numbers]:
    """How the file was adopted, and what is printed.

    Raises:
        RobustmixError: it was not.
    """
    asked = make_attack_config("linf-fgsm", file.data, (Eps.parse(file.eps),), samples=N)
    run = adopt(path, folder, data, attacks=[asked], **typed)  # type: ignore[arg-type]
    architecture = open_architecture(run.config["model"])
    model = make(architecture, data.train.shape, len(data.classes))
    model.load_state_dict(load_file(run.weights))
    found = evaluate_model(
        model.eval(), data.test[:N], "linf-fgsm", (Eps.parse("0"), *asked.epsilons)
    )
    accuracy = found.accuracy()["accuracy"]
    how = f"{run.config['model']} {run.config['normalise']}"
    return how, Numbers(accuracy.iloc[0], accuracy.iloc[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--only", default="", help="a part of the names of files")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    allow_code("published")
    opened = {}
    verdicts: list[str] = []
    print("| file | said | clean, attacked | truth | all clean: here, published | |")
    print("|" + "---|" * 6)
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES:
            path = args.weights / file.name
            if args.only not in file.name or not path.is_file():
                continue
            if file.data not in opened:
                opened[file.data] = open_data(build(Dataset, file.data), args.data_dir)
            verdicts.append(line(file, path, opened[file.data], Path(folder)))
    counts = {word: verdicts.count(word) for word in ("adopted", "asked", "refused", "WRONG")}
    print(f"\n{len(verdicts)} files: {', '.join(f'{n} {word}' for word, n in counts.items())}")


def line(file: File, path: Path, data: Data, folder: Path) -> str:
    """Print a row; the verdict."""
    right, clean = truth(file, path, data.test) if file.normalise else (None, 0.0)
    typed = ""
    try:
        how, numbers = said(file, path, folder, data)
        verdict = "adopted" if right and numbers.near(right) else "WRONG"
    except RobustmixError as e:
        print(f"  {e}", file=sys.stderr, flush=True)
        how, verdict = "?", "refused"
        if right is not None:
            options = {"normalise": file.normalise}
            options |= {"weights_key": file.key} if file.key else {}
            options |= {"model": file.model} if file.model else {}
            try:
                how, numbers = said(file, path, folder, data, **options)
                verdict = "asked" if numbers.near(right, 0.005) else "WRONG"
                typed = ", typed"
            except RobustmixError as e:
                print(f"  {e}", file=sys.stderr, flush=True)
                verdict = "WRONG"
    shown = "-" if how == "?" else str(numbers)
    known = f"{clean:.2%}" + (f", {file.clean:.2f}%" if file.clean else "")
    print(f"| {file.name} | {how}{typed} | {shown} | {right} | {known} | {verdict} |", flush=True)
    return verdict


if __name__ == "__main__":
    main()
