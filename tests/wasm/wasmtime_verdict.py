"""The verdict of wasmtime on a module: valid, or the reason of a refusal."""

from __future__ import annotations

import functools

import wasmtime

from purewasm_plugins.errors import DecodeError, ValidationError
from purewasm_plugins.wasm import load


def wasmtime_config() -> wasmtime.Config:
    """Configure wasmtime for core 2.0; extended constant expressions cannot be switched off."""
    config = wasmtime.Config()
    for feature in (
        "tail_call",
        "threads",
        "multi_memory",
        "memory64",
        "relaxed_simd",
        "component_model",
        "exceptions",
        "function_references",
        "gc",
        "wide_arithmetic",
        "custom_page_sizes",
        "stack_switching",
    ):
        setattr(config, f"wasm_{feature}", False)
    return config


@functools.cache
def wasmtime_engine() -> wasmtime.Engine:
    """An engine of `wasmtime_config`."""
    return wasmtime.Engine(wasmtime_config())


def wasmtime_objection(data: bytes) -> str | None:
    """Why wasmtime refuses a module; None where it is valid."""
    try:
        wasmtime.Module.validate(wasmtime_engine(), data)
    except wasmtime.WasmtimeError as error:
        return str(error)
    return None


#: What we refuse and wasmtime accepts: extended constant expressions, which cannot be turned off,
#: and tables that no browser would take.
_STRICTER = ("constant expression required", "table size must be at most")


def outcome(data: bytes) -> str:
    """Load a module that may be anything.

    Returns:
        "valid", "malformed" or "invalid". Nothing else must come of it, and wasmtime has to agree
        whether it is valid.

    Raises:
        AssertionError: wasmtime does not.
    """
    try:
        load(data)
    except DecodeError as error:
        refused, kind = str(error), "malformed"
    except ValidationError as error:
        refused, kind = str(error), "invalid"
    else:
        refused, kind = "", "valid"
    objection = wasmtime_objection(data)
    if (kind == "valid") != (objection is None) and not refused.startswith(_STRICTER):
        raise AssertionError(
            f"we say: {refused or 'valid'}; wasmtime says: {objection or 'valid'}; {data.hex()}"
        )
    return kind
