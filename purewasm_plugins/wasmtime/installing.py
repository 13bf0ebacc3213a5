"""`install`: from then on, `import wasmtime` finds the stand-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.wasmtime.interface import NAME, VERSION, check_version

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

__all__ = ["install", "refuse_submodules"]

_OURS = "purewasm_plugins.wasmtime"

#: Modules that wasmtime-py has for itself, and where their names are here: programs import some
#: that it exports nowhere else, such as `InstanceExports`.
_PARTS = {
    "_config": "config",
    "_engine": "engine",
    "_error": "errors",
    "_func": "functions",
    "_globals": "globals",
    "_instance": "instances",
    "_instance_pre": "linker",
    "_linker": "linker",
    "_managed": "managed",
    "_memory": "memories",
    "_module": "modules",
    "_sharedmemory": "shared_memory",
    "_store": "store",
    "_table": "tables",
    "_tag": "tags",
    "_trap": "traps",
    "_types": "types",
    "_value": "values",
    "_wasi": "wasi",
    "_wat2wasm": "text",
}


def install(prefer: Literal["installed", "pure"] = "installed", version: str = VERSION) -> None:
    """Have `import wasmtime` find the stand-in, in this process.

        import purewasm_plugins.wasmtime

        purewasm_plugins.wasmtime.install()
        import quickjs_rs  # a package that imports wasmtime

    The metadata of the distribution is found, too: `importlib.metadata.version("wasmtime")` is the
    version of the interface, and in Pyodide micropip takes the requirement `wasmtime` for
    fulfilled. A second call changes nothing.

    Args:
        prefer: "installed" leaves a wasmtime that is installed alone, if it can be imported: there
            is a wheel for any machine, which has no code for most. "pure" hides it.
        version: the version that the distribution says it is, where a package needs an older one.

    Hazards:
        Other processes find what is installed there. With the wheel of `purewasm stand-in` they
        find the stand-in as well.

    Raises:
        InvalidOptionError: `prefer` is something else, or `version` is no version.
        ImportError: the installed wasmtime is imported already, and so cannot be hidden.
    """
    if prefer not in ("installed", "pure"):
        raise InvalidOptionError("prefer", f"it must be 'installed' or 'pure', and is {prefer!r}")
    check_version(version)
    loaded = sys.modules.get(NAME)
    if loaded is not None:
        if prefer == "pure" and not _is_ours(loaded):
            raise ImportError(
                "the installed wasmtime is imported already: install the stand-in before that",
                name=NAME,
            )
        return
    if prefer == "installed" and _can_be_imported():
        return
    sys.modules[NAME] = import_module(_OURS)
    sys.meta_path.insert(0, _StandInFinder(version))


def refuse_submodules() -> None:
    """Have the import of a `wasmtime.…` that is not there say so, where `wasmtime` is ours."""
    sys.meta_path.insert(0, _StandInFinder(None))


def _is_ours(module: ModuleType) -> bool:
    """Return whether a module is the stand-in, or the wheel's module that has its names."""
    ours = import_module(_OURS)
    return module is ours or getattr(module, "Engine", None) is ours.Engine


def _can_be_imported() -> bool:
    """Return whether there is a wasmtime that runs on this machine."""
    try:
        import_module(NAME)
    except Exception:
        # What of it was imported would be taken for a part of ours.
        for name in [name for name in sys.modules if name.startswith(f"{NAME}.")]:
            del sys.modules[name]
        return False
    return True


class _StandInFinder:
    """What `sys.meta_path` asks for the parts of the package wasmtime, and for its distribution."""

    def __init__(self, version: str | None) -> None:
        """Take the version of the distribution, or None where it is installed."""
        self._version = version

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find a submodule of wasmtime.

        Raises:
            ImportError: it is one that is not here.
        """
        package, _, part = name.partition(".")
        if package != NAME or not part:
            return None
        if part in _PARTS:
            loader: Any = _PartLoader(f"{_OURS}.{_PARTS[part]}")
            return ModuleSpec(name, loader)
        if part.partition(".")[0] == "component":
            import_module(f"{_OURS}.component")
        raise ImportError(
            f"there is no module {name}: the stand-in of purewasm-plugins has the public names of "
            "wasmtime, which are in the module wasmtime itself",
            name=name,
        )

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """Yield the distribution of the stand-in, where its name or any is looked for."""
        if self._version is not None and (context.name or NAME).lower() == NAME:
            # Imported here: it takes longer than the rest of this module.
            from purewasm_plugins.wasmtime.distribution import StandInDistribution

            yield StandInDistribution(self._version)


class _PartLoader:
    """A loader of a module that has the names of one of ours.

    Its base would be `importlib.abc.Loader`, whose import takes some milliseconds.
    """

    def __init__(self, ours: str) -> None:
        """Take the name of ours."""
        self._ours = ours

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave making the module to Python; see `importlib.abc.Loader.create_module`."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module; see `importlib.abc.Loader.exec_module`."""
        for name, value in vars(import_module(self._ours)).items():
            if not name.startswith("__"):
                setattr(module, name, value)
