"""Programs and plugins that compilers of several languages made, whose libraries use WASI.

`fixtures/programs` has the programs, `fixtures/plugins/wasi_starter` the plugins. Go's are built
here where there is a Go.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import wasmtime

from purewasm_plugins import InstantiateError, ResourceLimits, Wasi, WasmPlugin
from purewasm_plugins.command import CommandResult, run_command
from purewasm_plugins.plugin.conformance import Check, Status, check
from purewasm_plugins.wasi.host_files import HostDirectory
from purewasm_plugins.wasi.memory_files import MemoryDirectory
from tests.conftest import ROOT

PROGRAMS = ROOT / "fixtures" / "programs"
STARTERS = ROOT / "fixtures" / "plugins" / "wasi_starter"

#: The languages of committed programs, with their names in them.
LANGUAGES = {
    "c": "C",
    "cpp": "C++",
    "rust": "Rust",
    "zig": "Zig",
    "assemblyscript": "AssemblyScript",
}

STDIN = b"first\nsecond\n"
BEFORE = {"notes.txt": b"red\ngreen\n", "empty/": b""}
AFTER = {"made/moved.txt": b"one\nTWO\nthree\n"}

#: What each program named `files` prints.
OUTPUT = """\
argument: /work
argument: last
environment: good day
line 1: first
line 2: second
entry: empty/
entry: notes.txt
notes: red
notes: green
sought: three
size: 14
missing: not found
entry: made/
slept: yes
today: yes
random: yes
"""
FILES = CommandResult(7, OUTPUT.encode(), b"the end\n")

#: Those of its lines that a program without files prints.
STREAMS = CommandResult(
    7,
    "".join(
        line
        for line in OUTPUT.splitlines(keepends=True)
        if line.split(":")[0] in ("argument", "environment", "line 1", "line 2", "today", "random")
    ).encode(),
    FILES.stderr,
)


def grants(directory: MemoryDirectory | HostDirectory | None) -> Wasi:
    return Wasi(
        args=("program", "/work", "last"),
        env={"GREETING": "good day"},
        stdin=STDIN,
        directories={} if directory is None else {"/work": directory},
        clock="host",
        random="host",
    )


def run(path: Path, directory: MemoryDirectory | HostDirectory | None, engine: str) -> object:
    return run_command(path, grants(directory), engine=engine, limits=ResourceLimits(timeout=60))


def fill(directory: Path) -> None:
    for name, data in BEFORE.items():
        path = directory / name
        path.mkdir() if name.endswith("/") else path.write_bytes(data)


def files_in(directory: Path) -> dict[str, bytes]:
    """The files below a directory of the host, as `MemoryDirectory.files` has them."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def by_wasmtime(path: Path, place: Path) -> CommandResult:
    """What a program does on wasmtime, with a directory "work" in a place."""
    config = wasmtime.WasiConfig()
    config.argv = ["program", "/work", "last"]
    config.env = [("GREETING", "good day")]
    (place / "stdin").write_bytes(STDIN)
    config.stdin_file = str(place / "stdin")
    config.stdout_file = str(place / "stdout")
    config.stderr_file = str(place / "stderr")
    config.preopen_dir(str(place / "work"), "/work")
    store = wasmtime.Store()
    store.set_wasi(config)
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    module = wasmtime.Module.from_file(store.engine, str(path))
    start = linker.instantiate(store, module).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    code = 0
    try:
        start(store)
    except wasmtime.ExitTrap as exit:
        code = exit.code
    return CommandResult(code, (place / "stdout").read_bytes(), (place / "stderr").read_bytes())


@pytest.mark.parametrize("suffix", LANGUAGES)
def test_a_program_greets(suffix: str, engine: str) -> None:
    result = run_command(PROGRAMS / f"hello_{suffix}.wasm", engine=engine)
    text = f"Hello from {LANGUAGES[suffix]}, 2 times 1.5\n"
    assert result == CommandResult(0, text.encode(), b"")


@pytest.mark.parametrize("language", ["c", "cpp", "rust", "zig"])
class TestFiles:
    def test_in_memory(self, language: str, engine: str) -> None:
        directory = MemoryDirectory(BEFORE)
        assert run(PROGRAMS / f"files_{language}.wasm", directory, engine) == FILES
        assert directory.files() == AFTER

    def test_on_the_host(self, language: str, tmp_path: Path) -> None:
        fill(tmp_path)
        directory = HostDirectory(tmp_path, read_only=False)
        assert run(PROGRAMS / f"files_{language}.wasm", directory, "translator") == FILES
        assert files_in(tmp_path) == AFTER

    def test_on_wasmtime(self, language: str, tmp_path: Path) -> None:
        (tmp_path / "work").mkdir()
        fill(tmp_path / "work")
        assert by_wasmtime(PROGRAMS / f"files_{language}.wasm", tmp_path) == FILES
        assert files_in(tmp_path / "work") == AFTER


def test_a_program_with_streams_alone(engine: str, tmp_path: Path) -> None:
    path = PROGRAMS / "streams_assemblyscript.wasm"
    assert run(path, None, engine) == STREAMS
    (tmp_path / "work").mkdir()
    assert by_wasmtime(path, tmp_path) == STREAMS


# Plugins.

PLUGINS = ("c", "cpp", "rust", "assemblyscript")

ANSWERS = {"hello": "HELLO! (5)", "grüße": "GRüßE! (7)", "": "! (0)"}


def check_starter(plugin: WasmPlugin, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Call the tool of a starter: its answers are right, and what it prints is logged."""
    assert plugin.name == f"wasi_shout_{name}"
    assert [tool.name for tool in plugin.tools] == ["shout"]
    with caplog.at_level(logging.INFO, "purewasm_plugins.plugin"):
        assert {text: plugin.execute_tool("shout", text) for text in ANSWERS} == ANSWERS
    assert caplog.messages == [
        f"wasi_shout_{name}: shouting {len(text.encode())} bytes" for text in ANSWERS
    ]


def faults(path: Path) -> list[Check]:
    """What a plugin does otherwise than the ABI has it."""
    checks = check(path.read_bytes(), wasi=Wasi(), limits=ResourceLimits(timeout=60))
    return [found for found in checks if found.status is not Status.PASS]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_starter(name: str, engine: str, caplog: pytest.LogCaptureFixture) -> None:
    path = STARTERS / f"shout_{name}.wasm"
    check_starter(WasmPlugin.load(path, wasi=True, engine=engine), name, caplog)


@pytest.mark.parametrize("name", PLUGINS)
def test_a_starter_without_a_grant(name: str) -> None:
    with pytest.raises(InstantiateError, match="unknown import"):
        WasmPlugin.load(STARTERS / f"shout_{name}.wasm")


@pytest.mark.parametrize("name", PLUGINS)
def test_a_starter_keeps_the_abi(name: str) -> None:
    assert faults(STARTERS / f"shout_{name}.wasm") == []


@pytest.mark.parametrize("name", PLUGINS)
def test_an_instance_is_freed_at_once(name: str) -> None:
    """When its plugin is closed, and not by the next collection of cycles."""
    plugin = WasmPlugin.load(STARTERS / f"shout_{name}.wasm", wasi=True)
    plugin.execute_tool("shout", "hello")
    instance = weakref.ref(plugin.instance)
    gc.collect()
    gc.disable()
    try:
        plugin.close()
        assert instance() is None
    finally:
        gc.enable()


# Go and TinyGo.


@functools.cache
def compiler(name: str) -> str:
    """The path of a compiler on this machine, or of the one that a package put beside Python."""
    found = shutil.which(name) or shutil.which(name, path=os.path.dirname(sys.executable))
    if found is None:
        pytest.skip(f"this machine has no {name}")
    return found


def built(name: str, source: Path, output: Path, *options: str) -> Path:
    """Build a file of Go."""
    environment = {**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", "GOFLAGS": "", "GOWORK": "off"}
    command = [compiler(name), "build", *options, "-o", str(output), str(source)]
    subprocess.run(command, env=environment, cwd=source.parent, check=True)
    return output


SMALL = ("-trimpath", "-ldflags=-s -w")


def test_a_program_in_go(tmp_path: Path) -> None:
    path = built("go", PROGRAMS / "files.go", tmp_path / "files.wasm", *SMALL)
    directory = MemoryDirectory(BEFORE)
    assert run(path, directory, "translator") == FILES
    assert directory.files() == AFTER


def test_a_starter_in_go(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = tmp_path / "shout.wasm"
    path = built("go", STARTERS / "shout.go", output, "-buildmode=c-shared", *SMALL)
    check_starter(WasmPlugin.load(path, wasi=True), "go", caplog)
    assert faults(path) == []


def test_a_starter_in_tinygo(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    output = tmp_path / "shout.wasm"
    options = ("-target=wasip1", "-buildmode=c-shared", "-no-debug")
    path = built("tinygo", STARTERS / "shout.go", output, *options)
    check_starter(WasmPlugin.load(path, wasi=True), "go", caplog)
