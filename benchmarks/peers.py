"""The peers: each makes `run(n)` from a `.wasm` file, or raises an error with the reason."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.kernels.handwritten import KERNELS
from benchmarks.kernels.idiomatic import IDIOMATIC
from benchmarks.measure import Subject
from purewasm_plugins import ResourceLimits, WasmError, instantiate

KERNEL_FOLDER = Path(__file__).parent / "kernels"

UNLIMITED = ResourceLimits(memory_pages=None, fuel=None, timeout=None, call_depth=None)


class Unavailable(Exception):
    """A peer is not installed, or cannot run a module; the text gives the reason."""


def kernel_path(kernel: str) -> Path:
    return KERNEL_FOLDER / f"{kernel}.wasm"


def handwritten(kernel: str) -> Subject:
    return KERNELS[kernel]


def idiomatic(kernel: str) -> Subject:
    return IDIOMATIC.get(kernel, KERNELS[kernel])


def translator(kernel: str) -> Subject:
    return engine("translator", kernel)


def pywasm_engine(kernel: str) -> Subject:
    return engine("pywasm", kernel)


def engine(name: str, kernel: str, limits: ResourceLimits | None = None) -> Subject:
    """Make the subject of one of our engines, by default with the default limits."""
    data = kernel_path(kernel).read_bytes()
    try:
        run = instantiate(data, engine=name, limits=limits).exports["run"]
    except WasmError as error:
        raise Unavailable(str(error)) from error
    return _callable(run)


def pywasm(kernel: str) -> Subject:
    """Make the subject of the package pywasm: no limits, no validation."""
    core = _module("pywasm").core
    runtime = core.Runtime()
    instance = runtime.instance_from_file(str(kernel_path(kernel)))
    return lambda n: runtime.invocate(instance, "run", [n])


def ppci(kernel: str) -> Subject:
    """Make the subject of the compiler of ppci, with Python source as its target."""
    wasm = _module("ppci.wasm")
    module = wasm.Module(kernel_path(kernel).read_bytes())
    return _callable(wasm.instantiate(module, {}, target="python").exports["run"])


def wasmtime(kernel: str) -> Subject:
    wasmtime = _module("wasmtime")
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(kernel_path(kernel)))
    run = wasmtime.Instance(store, module, []).exports(store)["run"]
    return lambda n: run(store, n)


def wasm3(kernel: str) -> Subject:
    wasm3 = _module("wasm3")
    environment = wasm3.Environment()
    runtime = environment.new_runtime(64 * 1024)
    runtime.load(environment.parse_module(kernel_path(kernel).read_bytes()))
    return _callable(runtime.find_function("run"))


#: The peers by the name that tables show.
PEERS: dict[str, Callable[[str], Subject]] = {
    "translator": translator,
    "hand-written": handwritten,
    "with lists": idiomatic,
    "pywasm engine": pywasm_engine,
    "pywasm": pywasm,
    "ppci": ppci,
    "wasm3": wasm3,
    "wasmtime": wasmtime,
}


def pywasm_decode(data: bytes) -> object:
    """Decode a module with pywasm, as it does before a run."""
    return _module("pywasm").core.ModuleDesc.from_reader(io.BytesIO(data))


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name.split('.')[0]} is not installed") from error


def _callable(run: Any) -> Subject:
    return lambda n: run(n)
