"""What an instance exports: a mapping, and a typed method for each kind of export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import (
    ExportKindError,
    Exports,
    Function,
    Global,
    Instance,
    Memory,
    Table,
    UnknownExportError,
)

Start = Callable[..., Instance]

MODULE = """
(module
  (func (export "f") (result i32) (i32.const 7))
  (memory (export "memory") 1)
  (table (export "t") 1 funcref)
  (global (export "private") i32 (i32.const 3))
  (global (export "g") (mut i64) (i64.const 5)))
"""


@pytest.fixture(scope="module")
def exports(start: Start) -> Exports:
    return start(MODULE).exports


def test_each_kind_has_a_method(exports: Exports) -> None:
    assert exports.function("f")() == 7
    assert exports.memory().pages == exports.memory().pages == 1
    assert len(exports.table("t")) == 1
    assert (exports.global_("g").value, exports.global_("private").value) == (5, 3)
    assert {name: type(exports[name]).__name__ for name in ("f", "memory", "t")} == {
        "f": Function.__name__,
        "memory": Memory.__name__,
        "t": Table.__name__,
    }
    assert isinstance(exports["g"], Global)


@pytest.mark.parametrize(
    ("ask", "name", "words"),
    [
        (lambda e: e.function("ff"), "ff", "there is no export 'ff'"),
        (lambda e: e.memory("memroy"), "memroy", "'memory'"),
        (lambda e: e["memroy"], "memroy", "'memory'"),
        (lambda e: e.table("nothing like it"), "nothing like it", "f, memory, t, private, g"),
    ],
)
def test_a_name_that_is_missing(
    exports: Exports, ask: Callable[[Exports], Any], name: str, words: str
) -> None:
    with pytest.raises(UnknownExportError) as raised:
        ask(exports)
    assert isinstance(raised.value, KeyError)
    assert raised.value.name == name
    assert raised.value.available == ("f", "memory", "t", "private", "g")
    assert words in str(raised.value)


KINDS = ("function", "memory", "table", "global")


@pytest.mark.parametrize("expected", KINDS)
def test_an_export_of_another_kind(exports: Exports, expected: str) -> None:
    for name, found in zip(("f", "memory", "t", "g"), KINDS, strict=True):
        ask = getattr(exports, "global_" if expected == "global" else expected)
        if found == expected:
            ask(name)
            continue
        with pytest.raises(ExportKindError) as raised:
            ask(name)
        error = raised.value
        assert isinstance(error, TypeError)
        assert (error.name, error.expected, error.found) == (name, expected, found)
        assert f"'{name}' is a {found}, not a {expected}" in str(error)


def test_the_mapping(exports: Exports) -> None:
    assert list(exports) == ["f", "memory", "t", "private", "g"]
    assert len(exports) == 5
    assert "f" in exports
    assert "x" not in exports
    assert exports.get("x") is None
    assert exports.get("f") is exports["f"]
    assert [*exports.items()] == [(name, exports[name]) for name in exports]
