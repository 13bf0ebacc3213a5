"""The behavioural tests run inside Pyodide: the built wheel, every engine, the real plugins.

pytest runs there, on the same test files. `inside/what_is_missing.py` lists the tests that are
skipped, with the reason; pytest itself skips those that need a package that Pyodide has not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, site, sys
sys.path.remove("") if "" in sys.path else None
os.chdir("/repository")
import pytest, purewasm_plugins
if not purewasm_plugins.__file__.startswith(site.getsitepackages()[0]):
    raise SystemExit("this is not the wheel: " + purewasm_plugins.__file__)
status = int(pytest.main({arguments!r}))
sys.stdout.flush()
status
"""

#: Test files that do not run in Pyodide, with the reason.
LEFT_OUT = {
    "tests/plugin/test_conformance.py": "inputs of many megabytes: half an hour and two gigabytes",
    "tests/plugin/test_pool.py": "calls beside each other need threads",
    "tests/plugin/test_mapping.py": "workers are threads or processes",
    "tests/engine/translator": "functions that nest deeper than the stack of V8 allows",
    "tests/debugger/test_terminal.py": "needs a terminal",
    "tests/debugger/test_properties.py": "random calls, which take minutes",
    "tests/wasmtime/test_cache.py": "others may write to the directory of temporary files",
}

#: The test files of each suite, and the least number of tests that must pass. The number finds a
#: run that collects or skips too much.
SUITES = {
    "engine": (["tests/engine", "tests/runtime"], 300),
    "plugin": (["tests/plugin", "tests/tools/test_registry.py"], 200),
    "schemas": (
        [
            "tests/support/test_json_text.py",
            "tests/tools/schema/test_schemas.py",
            "tests/tools/schema/test_patterns.py",
        ],
        150,
    ),
    # Directories of the host are always copied there, and nothing writes into a pipe that is read.
    "wasi": (
        [
            "tests/wasi/test_assemblyscript.py",
            "tests/wasi/test_commands.py",
            "tests/wasi/test_copied_files.py",
            "tests/wasi/test_grants.py",
            "tests/wasi/test_linking.py",
            "tests/wasi/test_memory_files.py",
            "tests/wasi/test_zip_files.py",
        ],
        250,
    ),
    "wasmtime": (["tests/wasmtime"], 250),
    "workbench": (
        [
            "tests/browser/test_workbench.py",
            "tests/browser/test_system.py",
            "tests/browser/test_real_plugins.py",
        ],
        80,
    ),
    "debugger": (["tests/debugger", "tests/browser/test_debugging.py"], 100),
}


@pytest.mark.parametrize("suite", SUITES)
def test_behaviour(
    suite: str,
    pyodide: Callable[..., object],
    test_archives: list[Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths, least = SUITES[suite]
    arguments = [path for path in paths if (ROOT / path).exists()]
    arguments += [
        "-q",
        *(f"--ignore={path}" for path in LEFT_OUT),
        "-p",
        "what_is_missing",
        "-p",
        "no:cacheprovider",
        "--color=no",
    ]
    arguments += ["--hypothesis-profile=quick", "-o", "testpaths="]
    done = pyodide(
        PROGRAM.format(arguments=arguments),
        archives=test_archives,
        mounts={"/repository": ROOT, "/packages": ROOT / "tests/pyodide/build/packages"},
        path=["/repository/tests/pyodide/inside", "/packages"],
    )
    output = done.output  # type: ignore[attr-defined]
    # The log has the whole output, which the message of a failure has not.
    log = Path(__file__).parent / "build" / f"{suite}.log"
    log.write_text(output)
    with capsys.disabled():
        print(f"\n--- {suite}, inside Pyodide\n{output[-3000:]}")
    assert done.status == 0, output[-20000:]  # type: ignore[attr-defined]
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) >= least
