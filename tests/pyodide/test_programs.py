"""Programs in Pyodide: one for WASI with files, and calls that run beside each other elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

#: It prints what the program answered, and the names that it left in the directories.
PROGRAM = """
import json, pathlib
from purewasm_plugins import HostDirectory, MemoryDirectory, Wasi, run_command

host = pathlib.Path("/home/files")
host.mkdir(parents=True)
(host / "notes.txt").write_text("first\\n")
memory = MemoryDirectory({"notes.txt": "first\\n"})
for directory in (memory, HostDirectory(host, read_only=False)):
    wasi = Wasi(
        args=("files", "/work"),
        env={"GREETING": "Hello"},
        stdin=b"one\\n",
        directories={"/work": directory},
        clock="host",
        random="host",
    )
    result = run_command("/fixtures/programs/files_c.wasm", wasi)
    print(json.dumps([result.exit_code, result.stdout.decode(), result.stderr.decode()]))
print(json.dumps(sorted(memory.files())))
print(json.dumps(sorted(path.name for path in host.rglob("*"))))
"""

ANSWER = """argument: /work
environment: Hello
line 1: one
entry: notes.txt
notes: first
sought: three
size: 14
missing: not found
entry: made/
slept: yes
today: yes
random: yes
"""


def test_a_program(pyodide: Callable[..., object], archives: list[Path]) -> None:
    done = pyodide(PROGRAM, archives=archives, mounts={"/fixtures": ROOT / "fixtures"})
    assert done.status == 0, done.output  # type: ignore[attr-defined]
    in_memory, on_host, memory, host = map(json.loads, done.output.splitlines())  # type: ignore[attr-defined]
    assert in_memory == on_host == [7, ANSWER, "the end\n"]
    assert memory == ["made/moved.txt"]
    assert host == ["made", "moved.txt"]


#: Without threads and processes, each call runs where it is made.
IN_LINE = """
from purewasm_plugins import PluginPool, WasmPlugin, example, map_tool

plugin = WasmPlugin.load(example("c_json"))
with PluginPool(plugin, 2) as pool:
    call = pool.execute("json_compact", "[1, 2]")
    try:
        call.send(None)
    except StopIteration as end:
        print(end.value)
    print(pool.execute_tool("json_compact", "[3, 4]"))
for result in map_tool(plugin, "json_compact", ["[5, 6]", "[7]"]):
    print(result.index, result.output)
"""


def test_calls_in_line(pyodide: Callable[..., object], archives: list[Path]) -> None:
    done = pyodide(IN_LINE, archives=archives)
    assert done.status == 0, done.output  # type: ignore[attr-defined]
    answers = ["[1,2]", "[3,4]", "0 [5,6]", "1 [7]"]
    assert done.output.splitlines() == answers  # type: ignore[attr-defined]
