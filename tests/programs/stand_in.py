"""Packages that need wasmtime, imported once for the real one and once for the stand-in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import wasmtime

#: Where the set-up puts them.
PACKAGES = Path(__file__).parent / "build" / "stand_in"

#: A Python program's import, as it is while `importing` holds.
Import = Callable[[str], Any]


def quick_wasmtime() -> ModuleType:
    """The real wasmtime, with engines that compile quickly: compiling takes longer than running."""

    class Engine(wasmtime.Engine):
        def __init__(self, config: wasmtime.Config | None = None) -> None:
            config = config or wasmtime.Config()
            config.cranelift_opt_level = "none"
            super().__init__(config)

    module = ModuleType("wasmtime")
    vars(module).update({**vars(wasmtime), "Engine": Engine})
    return module


@contextmanager
def importing(wasmtime_module: ModuleType) -> Generator[Import]:
    """Have the packages be imported anew, and `import wasmtime` find this module."""
    before, arguments = dict(sys.modules), sys.argv
    sys.modules["wasmtime"] = wasmtime_module
    sys.path.insert(0, str(PACKAGES))
    # `opa_wasmtime` measures and prints where it finds pytest among them.
    sys.argv = ["program"]
    try:
        yield importlib.import_module
    finally:
        sys.argv = arguments
        sys.path.remove(str(PACKAGES))
        sys.modules["wasmtime"] = before["wasmtime"]
        packages = {path.name for path in PACKAGES.iterdir()}
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in packages:
                del sys.modules[name]


def on_both(use: Callable[[Import], Any]) -> Any:
    """Use packages on the real wasmtime and on the stand-in: the answer, which is the same."""
    answers = []
    for module in (quick_wasmtime(), importlib.import_module("purewasm_plugins.wasmtime")):
        with importing(module) as import_:
            answers.append(use(import_))
    real, own = answers
    assert own == real
    return own


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns, or the name and the text of its exception."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)
