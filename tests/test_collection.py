"""Every test file is run: by the README's test command, or in a folder that CI names."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

CI = ROOT / ".ci" / "run"

#: Prints the files of which pytest collects something, given these arguments, and imports none.
PROGRAM = """
import sys
import pytest

class Item(pytest.Item):
    def runtest(self):
        pass

class File(pytest.File):
    def collect(self):
        return [Item.from_parent(self, name="test")]

class Collected:
    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(self, module_path, parent):
        return File.from_parent(parent, path=module_path)

    def pytest_collection_finish(self, session):
        for item in session.items:
            print("collected", item.path)

pytest.main(["--collect-only", "-p", "no:cacheprovider", *sys.argv[1:]], plugins=[Collected()])
"""


@functools.cache
def collected(*arguments: str) -> frozenset[Path]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = {Path(path) for path in re.findall(r"^collected (.+\.py)$", done.stdout, re.MULTILINE)}
    assert found, done.stdout + done.stderr
    return frozenset(found)


@pytest.fixture(scope="module")
def named() -> frozenset[Path]:
    """What CI runs of the folders that it names."""
    if not CI.is_file():
        pytest.skip("not a checkout: there is no .ci/run")
    commands = re.findall(r"^ *python -m pytest\b(.*)", CI.read_text("utf-8"), re.MULTILINE)
    folders = {word for command in commands for word in command.split() if (ROOT / word).is_dir()}
    return collected(*sorted(folders))


def test_every_test_file_is_run(named: frozenset[Path]) -> None:
    everything = {
        path
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "conftest.py"
        and not {"build", "node_modules"} & {*path.parts}
        and re.search(r"^def test_|^class Test", path.read_text("utf-8"), re.MULTILINE)
    }
    assert Path(__file__) in everything
    assert not sorted(everything - collected() - named)


def test_what_needs_node_or_a_browser_runs_where_it_is_named(named: frozenset[Path]) -> None:
    for folder in (ROOT / "tests" / "pyodide", ROOT / "tests" / "browser"):
        assert any(path.is_relative_to(folder) for path in named)
        assert not any(path.is_relative_to(folder) for path in collected())
