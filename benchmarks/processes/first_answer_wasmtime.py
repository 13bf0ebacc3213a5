"""The same with wasmtime-py, by hand."""

import sys
from typing import Any

import wasmtime

store = wasmtime.Store()
module = wasmtime.Module.from_file(store.engine, sys.argv[1])
exports: Any = wasmtime.Instance(store, module, []).exports(store)
memory: wasmtime.Memory = exports["memory"]


def string(pointer: int) -> str:
    start = pointer & 0xFFFFFFFF
    data = memory.read(store, start, start + 256)
    return bytes(data[: data.index(0)]).decode()


for export in ("plugin_name", "plugin_version", "plugin_description"):
    string(exports[export](store))
for index in range(exports["plugin_tools_count"](store)):
    string(exports["plugin_tool_name"](store, index))
    string(exports["plugin_tool_description"](store, index))
place = memory.grow(store, 1) * 65536
memory.write(store, b"hello world\0", place)
print(string(exports["plugin_tool_execute"](store, 0, place)))
