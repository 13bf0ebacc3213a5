"""The same with wasmtime-py, by hand."""

import sys

import wasmtime

engine = wasmtime.Engine()
store = wasmtime.Store(engine)
linker = wasmtime.Linker(engine)
linker.define_wasi()
wasi = wasmtime.WasiConfig()
wasi.inherit_stdout()
wasi.inherit_stderr()
wasi.argv = sys.argv[1:]
store.set_wasi(wasi)
module = wasmtime.Module.from_file(engine, sys.argv[1])
exports = linker.instantiate(store, module).exports(store)
try:
    exports["_start"](store)  # type: ignore[operator]
except wasmtime.ExitTrap as end:
    sys.exit(end.code)
