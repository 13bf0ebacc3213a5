"""Pyodide under Node: the archives to install in it, and a way to run a program."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins.browser.site import REQUIREMENTS, packed_distribution
from tests.conftest import missing

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SETUP = "sh tests/pyodide/setup.sh"

#: The pure Python packages that pytest needs. Hypothesis comes from `build/packages`.
FOR_TESTS = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "sortedcontainers")


@dataclass
class Finished:
    """The result of a program: its exit status and its output."""

    status: int
    output: str


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A fresh wheel of this package, and the archives of its requirements."""
    directory = tmp_path_factory.mktemp("archives")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    built = subprocess.run(
        [*command, str(directory), str(ROOT)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    found = list(directory.glob("*.whl"))
    for name in REQUIREMENTS:
        path = directory / f"{name}.zip"
        path.write_bytes(packed_distribution(name))
        found.append(path)
    return found


@pytest.fixture(scope="session")
def test_archives(archives: list[Path]) -> list[Path]:
    """`archives`, and those that the tests need."""
    if not (HERE / "build" / "packages" / "hypothesis").is_dir():
        missing("there is no Hypothesis for Pyodide", SETUP)
    found = list(archives)
    for name in FOR_TESTS:
        path = archives[0].parent / f"{name}.zip"
        path.write_bytes(packed_distribution(name))
        found.append(path)
    return found


@pytest.fixture(scope="session")
def pyodide() -> Callable[..., Finished]:
    """`pyodide(program, archives=…, mounts=…, path=…)`: run a program and wait for its end."""
    if shutil.which("node") is None:
        missing("there is no Node", SETUP)
    if not (HERE / "node_modules" / "pyodide").is_dir():
        missing("there is no Pyodide", SETUP)
    return run_in_pyodide


def run_in_pyodide(
    program: str,
    *,
    archives: Sequence[Path] = (),
    mounts: Mapping[str, Path] | None = None,
    path: Sequence[str] = (),
    timeout: float = 1500,
) -> Finished:
    """Run a Python program in Pyodide; the value of its last line is the exit status."""
    ask, asked = os.pipe()
    answered, answer = os.pipe()
    options = {
        "program": program,
        "archives": [str(archive) for archive in archives],
        "mounts": {target: str(source) for target, source in (mounts or {}).items()},
        "path": list(path),
        "assembler": [asked, answered],
    }
    assembler = threading.Thread(target=_assemble, args=(ask, answer), daemon=True)
    assembler.start()
    try:
        done = subprocess.run(
            ["node", str(HERE / "run.mjs"), json.dumps(options)],
            pass_fds=(asked, answered),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
    finally:
        os.close(asked)
        os.close(answered)
        assembler.join()
    return Finished(done.returncode, done.stdout)


def _assemble(requests: int, answers: int) -> None:
    """Assemble each module text that is requested, until the requests end."""
    import wasmtime

    with os.fdopen(requests, encoding="utf-8") as lines, os.fdopen(answers, "w") as out:
        for line in lines:
            reply: dict[str, Any]
            try:
                wasm = bytes(wasmtime.wat2wasm(json.loads(line)))
                reply = {"wasm": base64.b64encode(wasm).decode()}
            except wasmtime.WasmtimeError as error:
                reply = {"error": str(error)}
            out.write(json.dumps(reply) + "\n")
            out.flush()
