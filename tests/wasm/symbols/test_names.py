"""The name section: its content, and the treatment of malformed ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purewasm_plugins.wasm import decode
from purewasm_plugins.wasm.binary.encoder import module, name, section, unsigned, vector
from purewasm_plugins.wasm.symbols.names import Names, read_names

NAMED = """
(module $m
  (type $t (func (param i32)))
  (import "" "" (func $imported (type $t)))
  (table $table 1 funcref) (memory $memory 1) (global $global i32 (i32.const 0))
  (func $f (param $x i32) (local i64) (local $y f64)
    block $outer
      block
        loop $inner
        end
      end
    end)
  (func (local $only i32))
  (elem $elements func $f) (data $data "x"))
"""


def test_every_kind_of_name(wat: Callable[[str], bytes]) -> None:
    assert read_names(decode(wat(NAMED))) == Names(
        module="m",
        functions={0: "imported", 1: "f"},
        locals={1: {0: "x", 2: "y"}, 2: {0: "only"}},
        labels={1: {0: "outer", 2: "inner"}},
        types={0: "t"},
        tables={0: "table"},
        memories={0: "memory"},
        globals={0: "global"},
        elements={0: "elements"},
        data={0: "data"},
    )


def test_no_names() -> None:
    assert read_names(decode(module())) == Names()


def names_of(*subsections: bytes) -> Names:
    return read_names(decode(module(section(0, name("name") + b"".join(subsections)))))


FUNCTIONS = section(1, vector([unsigned(3) + name("three")]))


@pytest.mark.parametrize(
    ("malformed", "note"),
    [
        (section(0, b"\x05a"), "the names of module are malformed"),
        (section(0, name("a") + b"b"), "the names of module do not fill their subsection"),
        (section(2, b"\x01\0\x01\0\x01\xff"), "the names of locals are malformed: malformed UTF-8"),
        (section(7, b"\xff\xff\xff\xff\x0f"), "the names of globals are malformed"),
        (b"\x02\x7f", "the name section ends in the middle of subsection 2"),
        (b"\x02", "the name section is malformed"),
        (b"\x02\x80\x80\x80\x80\x80\x80", "the name section is malformed"),
    ],
)
def test_what_is_malformed_is_left_out(malformed: bytes, note: str) -> None:
    names = names_of(FUNCTIONS, malformed)
    assert names.functions == {3: "three"}
    assert (names.module, names.locals, names.globals) == (None, {}, {})
    (found,) = names.notes
    assert found.startswith(note)


def test_too_many_names() -> None:
    """All maps count, and those inside of maps."""
    one = unsigned(0) + name("")
    locals = vector([unsigned(function) + vector([one]) for function in range(100_000)])
    labels = vector([unsigned(0) + vector([one] * 100_000)])
    names = names_of(FUNCTIONS, section(2, locals), section(3, labels))
    assert names.functions == {3: "three"}
    assert len(names.locals) == 100_000
    assert names.labels == {}
    (note,) = names.notes
    assert note.startswith("the names of labels are malformed: too many names")


def test_unknown_subsections_mean_nothing() -> None:
    names = names_of(section(99, b"whatever"), FUNCTIONS)
    assert (names.functions, names.notes) == ({3: "three"}, ())
