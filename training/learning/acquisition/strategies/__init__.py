"""The acquisition strategies by name. To add one, put a file here that holds one function of the file's name.

The function takes a PoolView and returns one finite score per crop of the pool, float32; a higher score means "ask
a person first". Its docstring's first line is what a lead reads when choosing. A file may also say which currency of
the herd its picks are taken in (`HERDING_CURRENCY`); without one, crops are asked in the order of their scores.
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView, top_open

__all__ = ["HERDING_CURRENCY", "STRATEGIES", "PoolView", "Strategy", "described", "top_open"]

Strategy = Callable[[PoolView], Scores]

_MODULES = {found.name: import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)}
STRATEGIES: dict[str, Strategy] = {name: getattr(module, name) for name, module in _MODULES.items()}
HERDING_CURRENCY: dict[str, int] = {
    name: module.HERDING_CURRENCY for name, module in _MODULES.items() if hasattr(module, "HERDING_CURRENCY")
}


def described() -> dict[str, str]:
    """Each strategy's name with the first line of its docstring."""
    return {name: (strategy.__doc__ or name).strip().splitlines()[0] for name, strategy in STRATEGIES.items()}
