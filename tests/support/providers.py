"""The dynamic providers of the program, found by looking at its modules."""

import importlib
import inspect
import pkgutil

from pulumi.dynamic import ResourceProvider

import dive_infra.dynamic


def providers() -> list[type[ResourceProvider]]:
    found: list[type[ResourceProvider]] = []
    for info in pkgutil.iter_modules(dive_infra.dynamic.__path__):
        module = importlib.import_module(f"dive_infra.dynamic.{info.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, ResourceProvider) and kind.__module__ == module.__name__:
                found.append(kind)
    return found
