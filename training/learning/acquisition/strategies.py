"""The acquisition strategies by name: one file each in the folder `plugins`, found there."""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

from training.learning.acquisition import plugins
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import PoolView

Strategy = Callable[[PoolView], Scores]

_MODULES = {found.name: import_module(f"{plugins.__name__}.{found.name}") for found in iter_modules(plugins.__path__)}
STRATEGIES: dict[str, Strategy] = {name: getattr(module, name) for name, module in _MODULES.items()}
HERDING_CURRENCY: dict[str, int] = {
    name: module.HERDING_CURRENCY for name, module in _MODULES.items() if hasattr(module, "HERDING_CURRENCY")
}


def described() -> dict[str, str]:
    """Each strategy's name with the first line of its docstring."""
    return {name: (strategy.__doc__ or name).strip().splitlines()[0] for name, strategy in STRATEGIES.items()}
