"""The documented examples of embedding run without changes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = Path(__file__).parent / "examples"

NOTEBOOK = """
import ast, json, os
from pyodide.code import eval_code_async
os.chdir("/notebook")
scope, shown = {{}}, []
for cell in {cells!r}:
    shown.append(await eval_code_async(cell, scope))
print("SHOWN", json.dumps(shown))
"""


def code_cells() -> list[str]:
    """Return the code cells of the notebook."""
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text())
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def test_the_notebook(pyodide: Callable[..., Any], archives: list[Path], tmp_path: Path) -> None:
    (tmp_path / "echo.wasm").write_bytes((ROOT / "fixtures/wat/echo.wasm").read_bytes())
    cells = code_cells()
    # The first cell installs the package, which is installed here already from the current wheel.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cells.pop(0) == f"%pip install {project['name']}"
    done = pyodide(NOTEBOOK.format(cells=cells), archives=archives, mounts={"/notebook": tmp_path})
    (shown,) = [line for line in done.output.splitlines() if line.startswith("SHOWN")]
    assert json.loads(shown[6:]) == [["echo"], "Hello from a notebook!"]


def test_the_documentation_shows_the_examples() -> None:
    chapter = (ROOT / "purewasm_plugins" / "browser" / "BROWSER.md").read_text("utf-8")
    assert (EXAMPLES / "embed.js").read_text() in chapter
    for cell in code_cells():
        missing = [line for line in cell.splitlines() if line not in chapter]
        assert not missing
