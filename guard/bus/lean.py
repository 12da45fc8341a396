"""Importing parts of a package without the rest of it: an agent's memory is for the training."""

import importlib
import importlib.util
import sys
from typing import Any


def lean(name: str, **known: str) -> None:
    """Let submodules of a package be imported without what its ``__init__`` imports.

    ``import kafka`` loads the clients of administrators and consumers as well, 2 MB more, and the messages that
    they exchange, of which a producer's table of versions names two, are as much again. Whoever asks the package
    for a name of its own still gets it: then all of it is loaded.

    Args:
        name: of the package.
        known: names of its own that are asked for first, and the submodules that have them: then these alone are
            loaded.
    """
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return  # the import that follows says so better
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def whole(attribute: str) -> Any:
        if attribute in known:
            return getattr(importlib.import_module(f"{name}.{known[attribute]}"), attribute)
        if attribute.startswith("__") or importlib.util.find_spec(f"{name}.{attribute}") is not None:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")  # the import finds it
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = whole
    sys.modules[name] = package
