"""The behavioural tests, inside Pyodide: the built wheel, every engine, the real plugins.

It is the same tests, run by pytest there; what they print comes back. What has to be skipped is in
`inside/what_is_missing.py`, with the reason.
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

#: Left out: the first checks plugins as `purewasm check` does, with inputs of many megabytes, and
#: takes half an hour there and two gigabytes, beyond which Pyodide is not to be trusted; the next
#: two compare with wasmtime, which is native. Real plugins are in the suite of the workbench. The
#: fourth needs a terminal; the last walks through random calls, which takes minutes.
LEFT_OUT = (
    "tests/plugin/test_conformance.py",
    "tests/plugin/test_real_plugins.py",
    "tests/engine/test_integers.py",
    "tests/debugger/test_terminal.py",
    "tests/debugger/test_properties.py",
)

#: What runs there, and how many tests must have passed at least: a run that collects nothing passes
#: nothing. The reference implementation of a test is a process of its own or native: not there.
SUITES = {
    "engine": (["tests/engine"], 300),
    "plugin": (["tests/plugin", "tests/tools/test_registry.py"], 200),
    "schemas": (
        [
            "tests/support/test_json_text.py",
            "tests/tools/schema/test_schemas.py",
            "tests/tools/schema/test_patterns.py",
        ],
        150,
    ),
    "workbench": (["tests/browser/test_workbench.py", "tests/browser/test_real_plugins.py"], 30),
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
    # All of it, for whoever looks for the reason of a failure.
    log = Path(__file__).parent / "build" / f"{suite}.log"
    log.write_text(output)
    with capsys.disabled():
        print(f"\n--- {suite}, inside Pyodide\n{output[-3000:]}")
    assert done.status == 0, output[-20000:]  # type: ignore[attr-defined]
    passed = re.search(r"(\d+) passed", output)
    assert passed is not None
    assert int(passed[1]) >= least
