"""The examples in the translator's docstrings: the translation of the WebAssembly is the Python."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from purewasm_plugins.engine import translator
from purewasm_plugins.engine.translator.source import translate
from purewasm_plugins.wasm import load
from tests.conftest import assemble

FOLDER = Path(inspect.getfile(translator)).parent

#: A heading, and the indented lines below it: WebAssembly, an empty line, and Python.
_EXAMPLE = re.compile(r"^Example::\n\n((?:    .*\n|\n)+)", re.MULTILINE)

#: What shows the Python that it writes.
SHOWN = {
    "Blocks.begin",
    "Blocks.begin_construct",
    "Blocks.begin_else",
    "Blocks.end",
    "Branches.branch",
    "Branches.branch_if",
    "Branches.branch_table",
    "Branches.return_",
    "Dispatch",
    "Locals.begin_counters",
    "Locals.note_access",
    "Locals.set",
    "Loops.leave",
    "Operands.spill",
    "Style",
    "_address",
    "_classify",
    "_find_switches",
    "_index",
    "_numeric",
    "_paid",
    "_read",
    "_translate",
    "kept_zeros",
}


def examples() -> Iterator[tuple[str, str]]:
    """Yield the name of what has an example, and the example, for each of the package."""
    for path in sorted(FOLDER.glob("*.py")):
        for node, name in _named(ast.parse(path.read_text(encoding="utf-8")), ""):
            docstring = ast.get_docstring(node) or ""
            for block in _EXAMPLE.findall(f"{docstring}\n"):
                yield name, textwrap.dedent(block).strip("\n")


def _named(
    parent: ast.Module | ast.ClassDef | ast.FunctionDef, prefix: str
) -> Iterator[tuple[ast.ClassDef | ast.FunctionDef, str]]:
    for node in parent.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node, prefix + node.name
            yield from _named(node, f"{prefix}{node.name}.")


def python_of(example: str) -> str:
    """Translate the function that the Python of an example defines."""
    text, python = example.split("\ndef ", 1)
    text = text.strip()
    index = int(python[1 : python.index("(")])
    module = text if text.startswith("(module") else f"(module {text})"
    return translate(load(assemble(module)), index).rstrip("\n")


@pytest.mark.parametrize(("name", "example"), [*examples()])
def test_an_example(name: str, example: str) -> None:
    assert python_of(example) == example[example.index("\ndef ") + 1 :]


def test_what_writes_python_shows_it() -> None:
    assert {name for name, _ in examples()} >= SHOWN
