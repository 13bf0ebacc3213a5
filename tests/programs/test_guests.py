"""The guests of the benchmarks: their snippets give the right outputs, and the same on wasmtime."""

from __future__ import annotations

import pytest

from benchmarks.guests import ours
from benchmarks.guests.snippets import JAVASCRIPT, PYTHON, javascript
from purewasm_plugins import Module

from .test_interpreters import Data, MicroPython, QuickJS, check, printed

SOURCES = {
    "micropython": PYTHON,
    "quickjs": {name: javascript(name) for name in JAVASCRIPT},
}
EXPECTED: dict[str, dict[str, object]] = {
    "micropython": {name: printed(source) for name, source in PYTHON.items()},
    "quickjs": {name: value for name, (_, value) in JAVASCRIPT.items()},
}


@pytest.mark.parametrize(("name", "guest"), [("micropython", MicroPython), ("quickjs", QuickJS)])
def test_the_same_as_on_wasmtime(name: str, guest: type[MicroPython], program: Data) -> None:
    check(guest, "translator", program, SOURCES[name], EXPECTED[name])


@pytest.mark.parametrize(
    ("name", "guest"), [("micropython", ours.MicroPython), ("quickjs", ours.QuickJS)]
)
def test_by_the_public_interface(name: str, guest: type[ours.MicroPython], program: Data) -> None:
    run = guest(Module.compile(program(f"pwasm/guests/{name}.wasm"))).run
    for _ in range(2):
        found = {snippet: run(source) for snippet, source in SOURCES[name].items()}
        assert found == EXPECTED[name]


def test_errors_and_deep_recursion(program: Data) -> None:
    python = ours.MicroPython(Module.compile(program("pwasm/guests/micropython.wasm")))
    with pytest.raises(ours.GuestError, match="NameError"):
        python.run("undefined")
    source = (
        "def f(n):\n  return f(n + 1)\ntry:\n  f(0)\nexcept RuntimeError as error:\n  print(error)"
    )
    assert python.run(source) == "maximum recursion depth exceeded\n"
    assert python.run("print(1 + 1)") == "2\n"
