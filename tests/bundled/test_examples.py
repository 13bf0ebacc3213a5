"""The example plugins: their paths, their descriptions, and their use from a ZIP archive."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipapp
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import PluginError, WasmPlugin, example, examples
from purewasm_plugins.bundled import EXAMPLES, Example
from tests.conftest import ROOT

#: Imports for the examples that need some.
IMPORTS: dict[str, dict[str, Any]] = {
    "env": {"log": lambda pointer: None, "lookup": lambda table, key: table},
    "wasi_snapshot_preview1": {"fd_write": lambda *_: 0},
}


@pytest.mark.parametrize("entry", EXAMPLES, ids=lambda entry: entry.name)
def test_its_tools_are_those_of_the_list(entry: Example) -> None:
    if not entry.tools:
        with pytest.raises(PluginError):
            WasmPlugin.load(example(entry.name), imports=IMPORTS)
        return
    plugin = WasmPlugin.load(example(entry.name), imports=IMPORTS)
    assert tuple(tool.name for tool in plugin.tools) == entry.tools


def test_names() -> None:
    assert examples() == tuple(entry.name for entry in EXAMPLES)
    assert len({*examples()}) == len(examples())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c_jsn", "there is no example plugin 'c_jsn'; did you mean 'c_json'?"),
        ("", "there is no example plugin ''; there are: echo, c_json, "),
        ("../wat/echo", "there is no example plugin '../wat/echo'; there are: echo"),
    ],
)
def test_an_unknown_name(name: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        example(name)
    assert str(caught.value).startswith(message)


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import purewasm_plugins
assert sys.argv[1] in purewasm_plugins.__file__, purewasm_plugins.__file__
try:
    path = purewasm_plugins.example("echo")
except purewasm_plugins.PluginError as error:
    sys.exit(str(error))
assert path == purewasm_plugins.example("echo")
print(path, purewasm_plugins.WasmPlugin.load(path).execute_tool("echo", "unpacked"))
"""


def from_archive(folder: Path) -> subprocess.CompletedProcess[str]:
    """Make a ZIP archive of a folder, and use an example from it."""
    (folder / "__main__.py").touch()
    archive = folder.with_suffix(".pyz")
    zipapp.create_archive(folder, archive)
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(archive)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_inside_an_archive(tmp_path: Path) -> None:
    folder = tmp_path / "application"
    package = folder / "purewasm_plugins"
    unwanted = shutil.ignore_patterns("__pycache__", "page", "cli", "debugger")
    shutil.copytree(ROOT / "purewasm_plugins", package, ignore=unwanted)
    done = from_archive(folder)
    assert done.returncode == 1
    assert "this copy of the package is without its example plugins" in done.stderr
    shutil.copy(example("echo"), package / "bundled" / "echo.wasm")
    done = from_archive(folder)
    assert done.stderr == ""
    path, answer = done.stdout.split()
    assert answer == "unpacked"
    assert not Path(path).exists(), "the temporary file outlives the process"
