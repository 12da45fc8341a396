"""Importing parts of a package without the rest of it: an agent's memory is for the training."""

import importlib.util
import sys
from typing import Any


def lean(name: str) -> None:
    """Let submodules of a package be imported without what its ``__init__`` imports.

    ``import kafka`` loads the clients of administrators and consumers as well, 2 MB more. Whoever asks the package
    for a name of its own still gets it: then all of it is loaded.
    """
    if name in sys.modules:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return  # the import that follows says so better
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def whole(attribute: str) -> Any:
        if attribute.startswith("__") or importlib.util.find_spec(f"{name}.{attribute}") is not None:
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")  # the import finds it
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = whole
    sys.modules[name] = package
