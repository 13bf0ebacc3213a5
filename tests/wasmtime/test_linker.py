"""`Linker`, `InstancePre` and `Instance`: imports by name and by index."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.wasmtime.wat import Call, exports, function_type, host

NEEDY = '(module (import "a" "b" (func $f (result i32))) (export "f" (func $f)))'


def linked(library: Any, linker: Any, store: Any, text: str) -> Any:
    return linker.instantiate(store, library.Module(linker.engine, text)).exports(store)


def linker_of(library: Any) -> tuple[Any, Any]:
    store = library.Store()
    return library.Linker(store.engine), store


def test_a_function_for_any_store(library: Any) -> None:
    linker, first = linker_of(library)
    second = library.Store(linker.engine)
    linker.define_func("a", "b", function_type(library, "-> i32"), lambda: 5)
    linker.define_func(
        "a",
        "c",
        function_type(library, "-> i32"),
        lambda caller: len(caller["m"].read(caller)),
        True,
    )
    text = """(module (import "a" "b" (func $b (result i32)))
                (import "a" "c" (func $c (result i32))) (memory (export "m") 1)
                (func (export "f") (result i32) (i32.add (call $b) (call $c))))"""
    for store in (first, second):
        assert linked(library, linker, store, text)["f"](store) == 65541


def test_what_is_not_defined(library: Any) -> None:
    linker, store = linker_of(library)
    message = "unknown import: `a::b` has not been defined"
    module = library.Module(linker.engine, NEEDY)
    calls: list[Call] = [
        lambda: linker.instantiate(store, module),
        lambda: linker.instantiate_pre(module),
    ]
    for call in calls:
        with pytest.raises(library.WasmtimeError, match=message):
            call()
    with pytest.raises(library.WasmtimeError, match="item not defined in linker"):
        linker.get(store, "a", "b")


def test_a_name_is_defined_once(library: Any) -> None:
    linker, store = linker_of(library)
    for value in (1, 2):
        linker.define(store, "a", "b", host(library, store, "-> i32", lambda value=value: value))
        if value == 1:
            with pytest.raises(library.WasmtimeError, match="import of `a::b` defined twice"):
                linker.define(store, "a", "b", host(library, store, "->", print))
            linker.allow_shadowing = True
    assert linked(library, linker, store, NEEDY)["f"](store) == 2
    assert linker.get(store, "a", "b")(store) == 2


def test_what_cannot_be_defined(library: Any) -> None:
    linker, store = linker_of(library)
    function = host(library, store, "->", print)
    calls: list[tuple[Call, type[Exception]]] = [
        (lambda: linker.define(store, "a", "b", 2), TypeError),
        (lambda: linker.define(store, 2, "b", function), AttributeError),
        (lambda: linker.define(store, "a", 2, function), AttributeError),
        (lambda: linker.define_func("a", "b", 3, print), TypeError),
        (lambda: linker.define_instance(store, "a", 3), TypeError),
        (lambda: linker.define_module(store, "a", 3), TypeError),
        (lambda: linker.instantiate(store, 3), AttributeError),
        (lambda: linker.instantiate_pre(3), TypeError),
        (lambda: linker.define_unknown_imports_as_traps(3), TypeError),
        (lambda: library.Linker(2), AttributeError),
    ]
    for call, error in calls:
        with pytest.raises(error):
            call()


#: An import, what it is given, and what the error says of it.
MISMATCHES = [
    (
        "func (param i32 i64) (result f32)",
        "func",
        r"types incompatible: expected type `\(func \(param i32 i64\) \(result f32\)\)`,"
        r" found type `\(func\)`",
    ),
    ("memory 1", "func", "expected memory, but found function"),
    ("func", "memory", "expected func, but found memory"),
    ("table 1 funcref", "global", "expected table, but found global"),
    ("global i32", "table", "expected global, but found table"),
    (
        "memory 2",
        "memory",
        r"memory types incompatible: expected memory limits \(min: 2, max: none\)"
        r" doesn't match provided memory limits \(min: 1, max: 4\)",
    ),
    (
        "table 1 3 funcref",
        "table",
        r"table types incompatible: expected table limits \(min: 1, max: 3\)"
        r" doesn't match provided table limits \(min: 1, max: 4\)",
    ),
    (
        "table 1 externref",
        "table",
        "table types incompatible: expected table of type `externref`,"
        " found table of type `funcref`",
    ),
    (
        "global i64",
        "global",
        "global types incompatible: expected global of type `i64`, found global of type `i32`",
    ),
    (
        "global (mut i32)",
        "global",
        "global types incompatible: expected mutable global, found immutable global",
    ),
]


@pytest.mark.parametrize(("wanted", "given", "words"), MISMATCHES, ids=[m[0] for m in MISMATCHES])
def test_imports_of_another_type(library: Any, wanted: str, given: str, words: str) -> None:
    linker, store = linker_of(library)
    named, limits = library.ValType, library.Limits(1, 4)
    item = {
        "func": lambda: host(library, store, "->", print),
        "memory": lambda: library.Memory(store, library.MemoryType(limits)),
        "table": lambda: library.Table(store, library.TableType(named.funcref(), limits), None),
        "global": lambda: library.Global(store, library.GlobalType(named.i32(), False), 1),
    }[given]()
    linker.define(store, "a", "b", item)
    module = library.Module(linker.engine, f'(module (import "a" "b" ({wanted})))')
    calls: list[Call] = [
        lambda: linker.instantiate(store, module),
        lambda: library.Instance(store, module, [item]),
    ]
    for make in calls:
        with pytest.raises(library.WasmtimeError, match="incompatible import type for `a::b`") as e:
            make()
        e.match(words)


def test_imports_by_index(library: Any) -> None:
    """Also where several have one name."""
    store = library.Store()
    given = [host(library, store, "-> i32", lambda value=value: value) for value in (1, 2)]
    memory = library.Memory(store, library.MemoryType(library.Limits(3, None)))
    text = """(module (import "" "" (func $a (result i32))) (import "" "" (memory 1))
                (import "" "" (func $b (result i32)))
                (func (export "f") (result i32 i32 i32) (call $a) (call $b) (memory.size)))"""
    module = exports(library, text, [given[0], memory, given[1]], store)
    assert module.f() == [1, 2, 3]
    for imports, message in (
        ([], "expected 3 imports, found 0"),
        ([*given, memory, memory], "expected 3 imports, found 4"),
    ):
        with pytest.raises(library.WasmtimeError, match=message):
            exports(library, text, imports, store)
    with pytest.raises(TypeError, match="expected a Func, Global, Memory"):
        exports(library, text, [1, 2, 3], store)


def test_exports_are_a_mapping(library: Any) -> None:
    module = exports(
        library,
        '(module (func (export "b")) (memory (export "a") 1) (func (export "")))',
    )
    found = module.instance.exports(module.store)
    assert [*found] == ["b", "a", ""]
    assert len(found) == 3
    assert [*found.values()] == [*found.by_index]
    assert "a" in found
    assert found.get("c", 7) == 7
    assert module.instance.exports(module.store) is found
    with pytest.raises(KeyError):
        found["c"]
    with pytest.raises(IndexError):
        found.by_index[3]


def test_an_instance_is_defined(library: Any) -> None:
    linker, store = linker_of(library)
    instance = exports(
        library, '(module (func (export "b") (result i32) (i32.const 3)))', (), store
    )
    linker.define_instance(store, "a", instance.instance)
    assert linked(library, linker, store, NEEDY)["f"](store) == 3


def test_an_instance_made_before(library: Any) -> None:
    linker, first = linker_of(library)
    linker.define_func("a", "b", function_type(library, "-> i32"), lambda: 5)
    module = library.Module(linker.engine, NEEDY)
    prepared = linker.instantiate_pre(module)
    for store in (first, library.Store(linker.engine)):
        assert prepared.instantiate(store).exports(store)["f"](store) == 5
    assert [one.name for one in prepared.module.imports] == ["b"]


REACTOR = """
(module (global $count (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $count (i32.const 40)))
  (func (export "next") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))
"""

COMMAND = """
(module (global $count (mut i32) (i32.const 0)) (memory (export "memory") 1)
  (func (export "_start"))
  (func (export "next") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1))) (global.get $count)))
"""


def test_a_module_is_defined(library: Any) -> None:
    """Of a reactor there is one instance, of a command one for each call."""
    linker, store = linker_of(library)
    linker.define_module(store, "reactor", library.Module(linker.engine, REACTOR))
    linker.define_module(store, "command", library.Module(linker.engine, COMMAND))
    assert [linker.get(store, "reactor", "next")(store) for _ in range(2)] == [41, 42]
    assert [linker.get(store, "command", "next")(store) for _ in range(2)] == [1, 1]
    with pytest.raises(library.WasmtimeError, match="item not defined in linker"):
        linker.get(store, "command", "memory")
    user = """(module (import "command" "next" (func $n (result i32)))
                (func (export "f") (result i32) (i32.add (call $n) (call $n))))"""
    assert linked(library, linker, store, user)["f"](store) == 2


def test_the_default_of_a_module(library: Any) -> None:
    linker, store = linker_of(library)
    linker.define_module(store, "command", library.Module(linker.engine, COMMAND))
    assert linker.get_default(store, "command")(store) is None
    assert linker.get_default(store, "nothing")(store) is None
    linker.define(store, "named", "", host(library, store, "-> i32", lambda: 6))
    assert linker.get_default(store, "named")(store) == 6


def test_unknown_imports_as_traps(library: Any) -> None:
    linker, store = linker_of(library)
    linker.define_unknown_imports_as_traps(library.Module(linker.engine, NEEDY))
    with pytest.raises(library.WasmtimeError, match="unknown import: `a::b` has not been defined"):
        linked(library, linker, store, NEEDY)["f"](store)


def test_unknown_imports_as_default_values(library: Any) -> None:
    linker, store = linker_of(library)
    text = """(module
      (import "a" "f" (func (result i32 i64 f32 f64 externref funcref)))
      (import "a" "g" (global $g i64)) (import "a" "m" (memory 2))
      (import "a" "t" (table 3 funcref))
      (export "f" (func 0))
      (func (export "all") (result i64 i32 i32) (global.get $g) (memory.size) (table.size)))"""
    linker.define_unknown_imports_as_default_values(store, library.Module(linker.engine, text))
    found = linked(library, linker, store, text)
    assert found["f"](store) == [0, 0, 0.0, 0.0, None, None]
    assert found["all"](store) == [0, 2, 3]


WASI = """
(module (import "wasi_snapshot_preview1" "args_sizes_get"
          (func $sizes (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "count") (result i32)
    (drop (call $sizes (i32.const 0) (i32.const 4))) (i32.load (i32.const 0))))
"""


def test_wasi_belongs_to_the_store(library: Any) -> None:
    linker, first = linker_of(library)
    second = library.Store(linker.engine)
    linker.define_wasi()
    for store, args in ((first, ["a"]), (second, ["a", "b", "c"])):
        config = library.WasiConfig()
        config.argv = args
        store.set_wasi(config)
    counts = [linked(library, linker, store, WASI)["count"] for store in (first, second)]
    assert [count(store) for count, store in zip(counts, (first, second), strict=True)] == [1, 3]
    # What is set later holds for an instance that there is already.
    config = library.WasiConfig()
    config.argv = ["a", "b"]
    first.set_wasi(config)
    assert counts[0](first) == 2
    with pytest.raises(ValueError, match="already closed"):
        first.set_wasi(config)
    with pytest.raises(library.WasmtimeError, match="defined twice"):
        linker.define_wasi()


def test_a_store_without_wasi(ours: Any) -> None:
    """In wasmtime it ends the process."""
    linker, store = linker_of(ours)
    linker.define_wasi()
    count = linked(ours, linker, store, WASI)["count"]
    with pytest.raises(ours.WasmtimeError, match="the store has no WASI"):
        count(store)
    sizes = linker.get(store, "wasi_snapshot_preview1", "args_sizes_get")
    with pytest.raises(ours.WasmtimeError, match="missing required memory export"):
        sizes(store, 0, 0)


def test_a_module_of_another_engine(library: Any) -> None:
    module = library.Module(library.Engine(), "(module)")
    with pytest.raises(library.WasmtimeError, match="cross-`Engine` instantiation"):
        library.Instance(library.Store(), module, [])


def test_names_of_imports_are_escaped(ours: Any) -> None:
    linker, store = linker_of(ours)
    module = ours.Module(linker.engine, r'(module (import "\1b[2J" "\n" (func)))')
    with pytest.raises(ours.WasmtimeError) as raised:
        linker.instantiate(store, module)
    assert str(raised.value) == r"unknown import: `\x1b[2J::\n` has not been defined"


def test_instances_of_a_command_are_freed_after_each_call(ours: Any) -> None:
    linker, store = linker_of(ours)
    linker.define_module(store, "command", ours.Module(linker.engine, COMMAND))
    user = """(module (import "command" "next" (func $n (result i32)))
                (func (export "f") (param i32)
                  (loop $l (drop (call $n))
                    (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
    exported = linked(ours, linker, store, user)
    gc.disable()
    try:
        exported["f"](store, 30)
        assert len(store.state.modules()) == 1
    finally:
        gc.enable()


def test_functions_that_a_command_gives_away_stay(library: Any) -> None:
    linker, store = linker_of(library)
    text = """(module (func (export "_start")) (func $one (export "one") (result i32) (i32.const 1))
                (func (export "get") (result funcref) (ref.func $one)))"""
    linker.define_module(store, "command", library.Module(linker.engine, text))
    assert linker.get(store, "command", "get")(store)(store) == 1
