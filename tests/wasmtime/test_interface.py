"""The names of the interface: classes, their methods and attributes, and their parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import purewasm_plugins.wasmtime

#: What programs do not make, or not by that constructor; and what is about native code.
_INTERNAL = {
    "Caller.__init__",
    "ExitTrap.__init__",
    "ExportType.__init__",
    "Frame.__init__",
    "ImportType.__init__",
    "InstancePre.__init__",
    "StoreContext.__init__",
    "Val.__init__",
}
#: The pointer to what is native.
_NATIVE = {"ptr"}
#: Shared memories cannot be made, so their methods are not there.
_NOT_THERE = {"SharedMemory.data_len", "SharedMemory.data_ptr", "SharedMemory.grow"}
_NOT_THERE |= {"SharedMemory.size", "SharedMemory.type"}
#: The permissions of wasmtime-py 46 stand before its parameter of 50.
_OTHER_PARAMETERS = {"WasiConfig.preopen_dir"}


def members(library: Any) -> Iterator[tuple[str, Any]]:
    """The public classes, and their public attributes."""
    for name in library.__all__:
        value = getattr(library, name)
        yield name, value
        if inspect.isclass(value):
            for member in dir(value):
                if not member.startswith("_") or member in ("__init__", "__call__"):
                    yield f"{name}.{member}", inspect.getattr_static(value, member)


def parameters(value: Any) -> list[str] | None:
    """The names of the parameters of a function; None for something else."""
    function = getattr(value, "__func__", value)
    if not inspect.isfunction(function):
        return None
    return [*inspect.signature(function).parameters]


def test_all_names(oracle: Any) -> None:
    ours = dict(members(purewasm_plugins.wasmtime))
    theirs = {name for name, _ in members(oracle) if name.rpartition(".")[2] not in _NATIVE}
    assert theirs - {*ours} == _NOT_THERE


def test_parameters(oracle: Any) -> None:
    ours = dict(members(purewasm_plugins.wasmtime))
    wanted = {
        name: found
        for name, value in members(oracle)
        if name in ours and (found := parameters(value)) is not None
    }
    for name in _INTERNAL | _OTHER_PARAMETERS:
        wanted.pop(name, None)
    assert wanted
    assert {name: parameters(ours[name]) for name in wanted} == wanted
