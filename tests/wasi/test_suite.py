"""The official test suite of WASI preview 1: each program in memory and in a host's directory.

All of them run on both engines; none is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import ResourceLimits, Wasi, run_command
from purewasm_plugins.wasi.host_files import HostDirectory
from purewasm_plugins.wasi.memory_files import MemoryDirectory
from tests.wasi import suite

#: How many programs there are.
ALL = 72

#: In seconds: on the pywasm engine the slowest program takes two, on a machine that is not busy.
LIMITS = ResourceLimits(fuel=None, timeout=60)

NAMES: list[Any] = suite.names() or [
    pytest.param("", marks=pytest.mark.skip(reason=f"no test suite at {suite.location()}"))
]


def run(name: str, engine: str, directories: dict[str, MemoryDirectory | HostDirectory]) -> None:
    program = suite.program(name)
    wasi = Wasi(
        args=[f"{name}.wasm", *program.args],
        env=program.env,
        directories=directories,
        clock="host",
        random="host",
    )
    result = run_command(suite.module(name), wasi, engine=engine, limits=LIMITS)
    assert result.exit_code == program.exit_code, result.stderr.decode()
    if program.stdout is not None:
        assert result.stdout.decode() == program.stdout


@pytest.mark.parametrize("name", NAMES)
def test_in_memory(name: str, engine: str) -> None:
    root = suite.program(name).root
    run(name, engine, {} if root is None else {"/": MemoryDirectory(root)})


@pytest.mark.parametrize("name", NAMES)
def test_on_the_host(name: str, tmp_path: Path) -> None:
    root = suite.program(name).root
    if root is None:
        return run(name, "translator", {})
    for path, data in root.items():
        target = tmp_path / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    return run(name, "translator", {"/": HostDirectory(tmp_path, read_only=False)})


@pytest.mark.skipif(not suite.names(), reason=f"no test suite at {suite.location()}")
def test_no_program_is_left_out() -> None:
    assert len(suite.names()) == ALL
