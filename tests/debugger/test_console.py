"""Plugins and modules with WASI in the debugger: what they write, and the way back over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import Instance, MemoryDirectory, Wasi, WasmPlugin, instantiate
from purewasm_plugins.debugger import DebugEngine, DebugSession, OutputConsole, Written
from tests.conftest import ROOT, assemble, need
from tests.wasi.test_commands import IMPORTS

STARTERS = ROOT / "fixtures/plugins/wasi_starter"

#: `f` writes the time, eight random bytes and the time of another clock, in this order, each to an
#: output stream, and returns the sum of all of them. `early` writes before it.
MODULE = f"""(module
  {
    "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))'
        for name, params in IMPORTS.items()
    )
}
  (memory (export "memory") 1)
  (func $write (param $fd i32) (param $start i32)
    (i32.store (i32.const 1024) (local.get $start))
    (i32.store (i32.const 1028) (i32.const 8))
    (drop (call $fd_write (local.get $fd) (i32.const 1024) (i32.const 1) (i32.const 1032))))
  (func $early (call $write (i32.const 1) (i32.const 0)))
  (start $early)
  (func (export "f") (result i64)
    (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 0)))
    (call $write (i32.const 1) (i32.const 0))
    (drop (call $random_get (i32.const 8) (i32.const 8)))
    (call $write (i32.const 2) (i32.const 8))
    (drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 16)))
    (call $write (i32.const 1) (i32.const 16))
    (i64.add (i64.load (i32.const 0))
      (i64.add (i64.load (i32.const 8)) (i64.load (i32.const 16))))))"""

HOST = Wasi(clock="host", random="host")


def instance(wasi: Wasi, **options: Any) -> Instance:
    return instantiate(assemble(MODULE), wasi=wasi, **options)


def all_of(session: DebugSession) -> bytes:
    return b"".join(data for _, data in session.console.written(session.last_step))


def test_going_over_it_again_writes_nothing_and_gives_the_same() -> None:
    """With the clocks and the random numbers of the host: asked twice, they would differ."""
    found: list[bytes] = []
    session = DebugSession.for_function(
        instance(Wasi(stdout=found.append, stderr=found.append, clock="host", random="host")), "f"
    )
    del found[:]
    end = session.resume()
    memory = session.view.read_memory(0, 24)
    assert b"".join(found) == memory
    for step in range(end.step, -1, -3):
        session.go_to(step)
    assert session.step_number < 3
    assert session.resume() == end
    assert session.view.read_memory(0, 24) == memory
    assert b"".join(found) == memory


def test_the_console_has_what_was_written_up_to_each_step() -> None:
    session = DebugSession.for_function(instance(HOST), "f")
    assert session.console.written(session.step_number) == []
    sizes = []
    while not session.finished:
        session.step()
        written = session.console.written(session.step_number)
        sizes.append(sum(len(data) for _, data in written))
    assert sorted({*sizes}) == [0, 8, 16, 24]
    memory = session.view.read_memory(0, 24)
    written = [Written("stdout", memory[:8]), Written("stderr", memory[8:16])]
    written.append(Written("stdout", memory[16:]))
    assert session.console.written(session.step_number) == written
    # The same on the way back, and no more than that after it.
    for step in range(session.last_step, 0, -1):
        session.go_to(step)
        found = session.console.written(session.step_number)
        assert sum(len(data) for _, data in found) == sizes[step - 1]
    session.resume()
    assert session.console.written(session.step_number) == written


def test_the_first_instance_is_left_alone() -> None:
    first = instance(HOST)
    assert len(first.wasi.stdout) == 8
    session = DebugSession.for_function(first, "f")
    session.resume()
    assert len(all_of(session)) == 24
    assert len(first.wasi.stdout) == 8


def test_an_instance_of_a_debug_engine_is_used_itself() -> None:
    first = instance(HOST, engine=DebugEngine())
    session = DebugSession.for_function(first, "f")
    session.resume()
    assert all_of(session) == b""
    assert len(first.wasi.stdout + first.wasi.stderr) == 8 + 24


def test_functions_of_the_user_take_the_place_of_wasi_s() -> None:
    asked: list[int] = []

    def fd_write(fd: int, vectors: int, count: int, result: int) -> int:
        asked.append(fd)
        return 0

    imports = {"wasi_snapshot_preview1": {"fd_write": fd_write}}
    first = instance(HOST, imports=imports)
    session = DebugSession.for_function(first, "f")
    del asked[:]
    session.resume()
    session.go_to(0)
    session.resume()
    assert asked == [1, 2, 1]


def test_other_streams_go_where_they_were_sent() -> None:
    found: list[bytes] = []
    session = DebugSession.for_function(instance(Wasi(stdout=found.append)), "f")
    del found[:]
    session.resume()
    assert len(b"".join(found)) == 16
    assert [stream for stream, _ in session.console.written(session.step_number)] == ["stderr"]


def test_an_exit_is_replayed() -> None:
    text = """(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (func (export "f") (call $exit (i32.const 3))))"""
    first = instantiate(assemble(text), wasi=True)
    session = DebugSession.for_function(first, "f")
    end = session.resume()
    assert str(end.trap).startswith("the module exited with code 3")
    session.go_to(0)
    assert str(session.resume().trap) == str(end.trap)


@pytest.mark.parametrize("language", ["c", "rust", "assemblyscript"])
def test_a_plugin(language: str) -> None:
    plugin = WasmPlugin.load(STARTERS / f"shout_{language}.wasm", wasi=True)
    session = DebugSession(plugin, "shout", "hi")
    session.resume()
    written = [Written("stdout", b"shouting 2 bytes\n")]
    for _ in range(2):
        assert session.output == "HI! (2)"
        assert session.console.written(session.step_number) == written
        session.go_to(session.last_step // 2)
        session.resume()
    assert plugin.execute_tool("shout", "hi") == "HI! (2)"


def test_directories_are_opened_again() -> None:
    scratch = MemoryDirectory({"a": b""})
    plugin = WasmPlugin.load(
        STARTERS / "shout_c.wasm", wasi=Wasi(directories={"/": scratch}, stdin=b"x")
    )
    session = DebugSession(plugin, "shout", "hi")
    plugin.close()
    assert session.resume().trap is None


def test_parts_of_what_was_written() -> None:
    console = OutputConsole()
    wasi = console.listening(True)
    assert wasi is not None
    assert (wasi.clock, console.listening(None), console.listening(False)) == ("host", None, None)
    from purewasm_plugins.engine.stepping import Clock

    clock = Clock()
    write: Any = wasi.stdout
    write(b"loading")
    console.begin(clock)
    write(b"aside")
    clock.live = True
    for step, data in ((3, b"ab"), (3, b"cd"), (5, b""), (8, b"efgh")):
        clock.step = step
        write(data)
    assert console.written(2) == []
    assert console.written(3) == [Written("stdout", b"abcd")]
    assert console.written(7) == [Written("stdout", b"abcd")]
    assert console.written(8) == [Written("stdout", b"abcdefgh")]
    assert console.written(8, 3) == [Written("stdout", b"efgh")]
    assert console.written(8, most=3) == [Written("stdout", b"fgh")]
    assert console.written(8, most=5) == [Written("stdout", b"defgh")]
    assert console.written(8, 8) == []


def prompt(*arguments: str, commands: str) -> list[str]:
    """Return the lines that `purewasm debug` prints for commands from a pipe."""
    need("click", "rich")
    done = subprocess.run(
        [sys.executable, "-m", "purewasm_plugins", "debug", *arguments],
        input=commands,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_prompt(tmp_path: Path) -> None:
    path = str(STARTERS / "shout_c.wasm")
    lines = prompt("--wasi", path, "shout", "hi", commands="o\nc\no\ngoto 0\no\nc\n")
    text = "shouting 2 bytes"
    assert lines.count(f"stdout: {text}") == 1
    assert lines.count(text) == 1
    assert lines.count("Nothing has been written up to here.") == 2
    assert lines.count('The tool answers "HI! (2)"') == 2
    assert prompt("--dir", f"{tmp_path}::/x", path, "shout", "hi", commands="c\n")[-1] == (
        'The tool answers "HI! (2)"'
    )
