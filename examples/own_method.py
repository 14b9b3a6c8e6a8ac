"""A method of your own: python examples/own_method.py

From the shell: robustmix train -m examples.own_method:Blur:shift=2+pgd-at
"""

from dataclasses import dataclass

from robustbench_cli import Method, evaluate, train


@dataclass(kw_only=True)
class Blur(Method):
    """Train on images averaged with themselves, moved by `shift` pixels."""

    shift: int = 1

    def step(self, model, batch, rest):
        return rest(model, batch.replace(x=(batch.x + batch.x.roll(self.shift, 3)) / 2))


if __name__ == "__main__":
    run = train(method=Blur(shift=2), epochs=3)
    print(evaluate(run, attack="linf-pgd", epsilons="0:0.2:0.1", samples=100).accuracy())
