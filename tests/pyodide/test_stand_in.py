"""A package that needs wasmtime, in Pyodide, which has none: with the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime

from tests.conftest import missing
from tests.programs.conftest import SETUP
from tests.programs.stand_in import PACKAGES, importing

#: A terminal's screen: compiled from Rust, with WASI.
SCREEN = """
from vt100wasm import Screen

with Screen(4, 12, scrollback_len=3) as screen:
    screen.process("one\\r\\n\\x1b[31mtwo\\x1b[0m three\\r\\nfour\\r\\nfive\\r\\nsix ü".encode())
    found = [screen.contents(), screen.contents_formatted().decode(), screen.cells().hex()]
    screen.set_scrollback(1)
    snapshot = screen.snapshot()
with Screen.restore(snapshot) as screen:
    found.append(screen.contents())
"""

INSTALLED = """
import json
import purewasm_plugins.wasmtime
purewasm_plugins.wasmtime.install()
"""


def test_a_package(pyodide: Callable[..., Any], archives: list[Path]) -> None:
    if not (PACKAGES / "vt100wasm").is_dir():
        missing("there is no vt100wasm", SETUP)
    expected: dict[str, Any] = {}
    with importing(wasmtime):
        exec(SCREEN, expected)
    program = f"{INSTALLED}{SCREEN}print(json.dumps(found))"
    done = pyodide(program, archives=archives, mounts={"/packages": PACKAGES}, path=["/packages"])
    assert done.status == 0, done.output
    assert json.loads(done.output) == expected["found"]
    assert expected["found"][0] == "two three\nfour\nfive\nsix ü"
