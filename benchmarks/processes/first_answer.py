"""A whole process: load a plugin, run its first tool, print the answer."""

import sys

from purewasm_plugins import WasmPlugin

print(WasmPlugin.load(sys.argv[1], engine="translator").execute_tool(0, "hello world"))
