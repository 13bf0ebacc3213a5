"""The peers: each makes `run(n)` from a `.wasm` file, or raises an error with the reason."""

from __future__ import annotations

import importlib
import importlib.metadata
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

#: The default limits as pwasm takes them: units, seconds, bytes.
FUEL = ResourceLimits().fuel
TIMEOUT = ResourceLimits().timeout
MEMORY = 65536 * (ResourceLimits().memory_pages or 0)


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
    core = module_named("pywasm").core
    runtime = core.Runtime()
    instance = runtime.instance_from_file(str(kernel_path(kernel)))
    return lambda n: runtime.invocate(instance, "run", [n])


def ppci(kernel: str) -> Subject:
    """Make the subject of the compiler of ppci, with Python source as its target."""
    wasm = module_named("ppci.wasm")
    module = wasm.Module(kernel_path(kernel).read_bytes())
    return _callable(wasm.instantiate(module, {}, target="python").exports["run"])


def pwasm(kernel: str) -> Subject:
    """Make the subject of the package pwasm, with the limits that ours has by default."""
    return pwasm_call(pwasm_sandbox(kernel_path(kernel)), "run")


def pwasm_sandbox(path: Path, imports: Any = None) -> Any:
    """Instantiate a module with pwasm, with the limits that ours has by default."""
    sandbox = pwasm_module("pwasm.sandbox").Sandbox
    return sandbox(path, imports=imports, max_memory=MEMORY, fuel=FUEL, timeout=TIMEOUT, wasi=False)


def pwasm_call(sandbox: Any, name: str) -> Subject:
    """Make a subject that calls an export."""

    def call(n: int) -> object:
        # The default of ours is the fuel of one call, that of pwasm the fuel of an instance.
        sandbox.fuel = FUEL
        return sandbox.call(name, n)

    return call


def wasmtime(kernel: str) -> Subject:
    wasmtime = module_named("wasmtime")
    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(kernel_path(kernel)))
    run = wasmtime.Instance(store, module, []).exports(store)["run"]
    return lambda n: run(store, n)


def wasm3(kernel: str) -> Subject:
    wasm3 = module_named("wasm3")
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
    "pwasm": pwasm,
    "pywasm": pywasm,
    "ppci": ppci,
    "wasm3": wasm3,
    "wasmtime": wasmtime,
}


def pywasm_decode(data: bytes) -> object:
    """Decode a module with pywasm, as it does before a run."""
    return module_named("pywasm").core.ModuleDesc.from_reader(io.BytesIO(data))


def pwasm_module(name: str) -> Any:
    """Import a module of pwasm, whose cache on disk is then off."""
    module = module_named(name)
    # It is the user's own, in the home directory, and what it keeps would be measured.
    module_named("pwasm.codegen").CACHE_DIR = None
    return module


def version(package: str) -> str:
    """Return the version of a package that is installed."""
    return importlib.metadata.version(package)


def module_named(name: str) -> Any:
    """Import a module of a peer."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name.split('.')[0]} is not installed") from error


def _callable(run: Any) -> Subject:
    return lambda n: run(n)
