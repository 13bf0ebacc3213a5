"""`Config`: the options of an engine, each of which can be set and not read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from purewasm_plugins.wasmtime.errors import WasmtimeError
from purewasm_plugins.wasmtime.managed import Managed

__all__ = ["Config"]

_Value = TypeVar("_Value")

#: The stack that a module may use unless `max_wasm_stack` says otherwise, in bytes.
DEFAULT_STACK = 512 * 1024


class _Option(Generic[_Value]):
    """An option of `Config`: an attribute that checks what it is set to, and cannot be read."""

    def __init__(self, check: Callable[[Any], None], doc: str) -> None:
        self._check = check
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, config: object, owner: type | None = None) -> Any:
        if config is None:
            return self
        raise AttributeError(f"the option '{self._name}' can be set, and not read")

    def __set__(self, config: Config, value: _Value) -> None:
        self._check(value)
        config.check_open()
        config.values[self._name] = value


def _flag(doc: str) -> _Option[bool]:
    """Return an option that is on or off."""

    def check(value: object) -> None:
        if not isinstance(value, bool):
            raise TypeError("expected a bool")

    return _Option(check, doc)


def _size(doc: str) -> _Option[int]:
    """Return an option that is a number of bytes."""

    def check(value: object) -> None:
        if not isinstance(value, int):
            raise TypeError("expected an int")

    return _Option(check, doc)


def _choice(kind: str, names: tuple[str, ...], doc: str) -> _Option[str]:
    """Return an option that is one of some names."""

    def check(value: object) -> None:
        if value not in names:
            raise WasmtimeError(f"unknown {kind}: {value}")

    return _Option(check, doc)


def _check_cache(value: object) -> None:
    """Check what `cache` is set to: True, or the path of a file."""
    if isinstance(value, bool):
        if not value:
            raise WasmtimeError("caching cannot be explicitly disabled")
    elif isinstance(value, str):
        if not os.path.isfile(value):
            raise WasmtimeError(f"failed to read the configuration of the cache: no file '{value}'")
    else:
        raise TypeError("expected string or bool")


def _check_target(value: object) -> None:
    """Check that a target looks like one: architecture, vendor, system."""
    if not isinstance(value, str):
        raise TypeError("expected a str")
    if value.partition("-")[0] not in _ARCHITECTURES:
        raise WasmtimeError(f"failed to parse the target '{value}': unknown architecture")


#: The architectures whose targets are accepted.
_ARCHITECTURES = ("x86_64", "aarch64", "riscv64gc", "s390x", "pulley32", "pulley64", "i686", "arm")

_NOTHING = "It changes nothing here: there is no compiler of machine code."
_PROPOSAL = "A module that uses it is refused where this package does not have it."


class Config(Managed):
    """The options of an engine.

    Every option of `wasmtime` can be set. Those about machine code change nothing here, and those
    that turn on what this package does not have let `Module` refuse what needs it.

    Attributes:
        values: for this package only: what was set, by name.
    """

    debug_info = _flag(_NOTHING)
    wasm_threads = _flag(_PROPOSAL)
    wasm_tail_call = _flag(_PROPOSAL)
    wasm_reference_types = _flag("Reference types are always there.")
    wasm_simd = _flag("SIMD is always there.")
    wasm_bulk_memory = _flag("Bulk memory instructions are always there.")
    wasm_multi_value = _flag("Multiple results are always there.")
    wasm_multi_memory = _flag(_PROPOSAL)
    wasm_memory64 = _flag(_PROPOSAL)
    wasm_relaxed_simd = _flag(_PROPOSAL)
    wasm_relaxed_simd_deterministic = _flag(_PROPOSAL)
    wasm_component_model = _flag("Components are refused.")
    wasm_component_model_map = _flag("Components are refused.")
    wasm_component_model_implements = _flag("Components are refused.")
    wasm_exceptions = _flag(_PROPOSAL)
    wasm_function_references = _flag(_PROPOSAL)
    wasm_gc = _flag(_PROPOSAL)
    wasm_wide_arithmetic = _flag(_PROPOSAL)
    wasm_custom_page_sizes = _flag(_PROPOSAL)
    wasm_stack_switching = _flag(_PROPOSAL)
    strategy = _choice("strategy", ("auto", "cranelift", "winch"), _NOTHING)
    cranelift_debug_verifier = _flag(_NOTHING)
    cranelift_opt_level = _choice("opt level", ("none", "speed", "speed_and_size"), _NOTHING)
    profiler = _choice("profiler", ("none", "jitdump", "vtune", "perfmap"), _NOTHING)
    cache: _Option[bool | str] = _Option(
        _check_cache,
        "True, or the path of a file, keeps what is translated in the user's own cache directory."
        " The environment variable PUREWASM_CACHE names another one, or by an empty name none; it"
        " holds without this option, too.",
    )
    epoch_interruption: _Option[bool] = _Option(
        lambda value: None,
        "Whether code is interrupted once the engine's epoch has reached the store's deadline.",
    )
    consume_fuel = _flag(
        "Whether code uses fuel, which `Store.set_fuel` gives. The unit is this package's: one for"
        " each function that is entered and for each start of a loop's body."
    )
    parallel_compilation = _flag(_NOTHING)
    shared_memory = _flag("Shared memories are refused.")
    max_wasm_stack = _size(
        "Bytes of stack that code may use. Here each 64 of them allow one active function."
    )
    gc_support = _flag(_NOTHING)
    cranelift_nan_canonicalization = _flag(_NOTHING)
    memory_may_move = _flag(_NOTHING)
    memory_reservation = _size(_NOTHING)
    memory_guard_size = _size(_NOTHING)
    memory_reservation_for_growth = _size(_NOTHING)
    native_unwind_info = _flag(_NOTHING)
    target: _Option[str] = _Option(_check_target, _NOTHING)
    macos_use_mach_ports = _flag(_NOTHING)
    signals_based_traps = _flag(_NOTHING)
    memory_init_cow = _flag(_NOTHING)

    def __init__(self) -> None:
        """Begin with the defaults."""
        self.values: dict[str, Any] = {}

    def cranelift_flag_enable(self, flag: str) -> None:
        """Accept a flag of Cranelift's, which changes nothing here.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(flag, str):
            raise TypeError("expected a str")
        self.check_open()

    def cranelift_flag_set(self, key: str, value: str) -> None:
        """Accept a setting of Cranelift's, which changes nothing here.

        Raises:
            TypeError: it is no text.
        """
        if not isinstance(key, str):
            raise TypeError("expected a str for key")
        if not isinstance(value, str):
            raise TypeError("expected a str for value")
        self.check_open()

    def taken(self) -> Mapping[str, Any]:
        """Give what was set to an engine: the configuration cannot be used again."""
        self.consume()
        return self.values
