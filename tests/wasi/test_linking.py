"""Which function an import of WASI gets: twice, from both modules, from the user, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import LinkError, Wasi, instantiate
from purewasm_plugins.wasi.memory_files import MemoryDirectory

Wat = Callable[[str], bytes]

#: The type of `fd_write`, and the last of its calls: "hello" to the standard output.
_TYPE = "(param i32 i32 i32 i32) (result i32)"
_CALL = "(i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)"
_MEMORY = r"""
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\05\00\00\00") (data (i32.const 16) "hello")"""

#: Go's linker does so.
TWICE = f"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $first {_TYPE}))
  (import "wasi_snapshot_preview1" "fd_write" (func $second {_TYPE})) {_MEMORY}
  (func (export "first") (result i32) (call $first {_CALL}))
  (func (export "second") (result i32) (call $second {_CALL})))"""

BOTH = f"""(module
  (import "wasi_snapshot_preview1" "fd_write" (func $new {_TYPE}))
  (import "wasi_unstable" "fd_write" (func $old {_TYPE}))
  (import "wasi_unstable" "fd_close" (func $close (param i32) (result i32))) {_MEMORY}
  (func (export "new") (result i32) (call $new {_CALL}))
  (func (export "old") (result i32) (call $old {_CALL}))
  (func (export "close") (result i32) (call $close (i32.const 1))))"""


def test_one_function_twice(wat: Wat, engine: str) -> None:
    instance = instantiate(wat(TWICE), engine=engine, wasi=Wasi())
    for name in ("first", "second"):
        assert instance.exports.function(name)() == 0
    assert instance.wasi.stdout == b"hellohello"


def test_both_modules_share_the_descriptors(wat: Wat, engine: str) -> None:
    instance = instantiate(wat(BOTH), engine=engine, wasi=Wasi())
    assert [instance.exports.function(name)() for name in ("new", "old")] == [0, 0]
    assert instance.wasi.stdout == b"hellohello"
    assert instance.exports.function("close")() == 0
    assert [instance.exports.function(name)() for name in ("new", "old")] == [8, 8]


@pytest.mark.parametrize("wasi", [True, None])
def test_functions_of_the_user_come_first(wat: Wat, engine: str, wasi: bool | None) -> None:
    seen: list[tuple[int, ...]] = []

    def fd_write(*arguments: int) -> int:
        seen.append(arguments)
        return 29

    imports = {"wasi_snapshot_preview1": {"fd_write": fd_write}}
    instance = instantiate(wat(TWICE), imports, engine=engine, wasi=wasi)
    assert [instance.exports.function(name)() for name in ("first", "second")] == [29, 29]
    assert seen == [(1, 0, 1, 8)] * 2


def test_only_what_is_given_is_replaced(wat: Wat, engine: str) -> None:
    imports = {"wasi_unstable": {"fd_write": lambda *arguments: 29}}
    instance = instantiate(wat(BOTH), imports, engine=engine, wasi=True)
    assert [instance.exports.function(name)() for name in ("new", "old")] == [0, 29]


REFUSED: dict[str, tuple[str, str]] = {
    "misspelt": (
        '(import "wasi_snapshot_preview1" "fd_wirte" (func))',
        "import 'fd_wirte' from module 'wasi_snapshot_preview1'; did you mean "
        r"'wasi_snapshot_preview1\.fd_write'",
    ),
    "misspelt in the older module": (
        '(import "wasi_unstable" "path_opne" (func))',
        r"did you mean 'wasi_unstable\.path_open'",
    ),
    "unlike any": (
        '(import "wasi_snapshot_preview1" "thread_spawn" (func))',
        "unknown import: import 'thread_spawn'",
    ),
    "another module": (
        '(import "wasi_snapshot_preview2" "fd_write" (func))',
        "unknown import: import 'fd_write' from module 'wasi_snapshot_preview2'",
    ),
    "no result": (
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32)))',
        "incompatible import type",
    ),
    "an offset of 32 bits": (
        '(import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i32 i32 i32) (result i32)))',
        "incompatible import type",
    ),
    "a result of proc_exit": (
        '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32) (result i32)))',
        "incompatible import type",
    ),
    "a memory": ('(import "wasi_snapshot_preview1" "fd_write" (memory 1))', "incompatible import"),
    "a global": (
        '(import "wasi_snapshot_preview1" "fd_write" (global i32))',
        "incompatible import",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_linked(wat: Wat, engine: str, case: str) -> None:
    declared, words = REFUSED[case]
    directory = MemoryDirectory({"f": b"hello"})
    wasi: Any = Wasi(directories={"/": directory})
    with pytest.raises(LinkError, match=words):
        instantiate(wat(f"(module {declared})"), engine=engine, wasi=wasi)
