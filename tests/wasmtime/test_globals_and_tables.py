"""`Global`, `Table` and `Val`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wasmtime.wat import Call, exports, host


def global_type(library: Any, name: str, mutable: bool = True) -> Any:
    return library.GlobalType(getattr(library.ValType, name)(), mutable)


@pytest.mark.parametrize(
    ("type", "value", "seen"),
    [
        ("i32", 1 << 31, -(1 << 31)),
        ("i64", 0, 0),
        ("f32", 0.1, 0.10000000149011612),
        ("f64", 0.1, 0.1),
        ("externref", "object", "object"),
        ("externref", 0, 0),
    ],
)
def test_the_value_of_a_global(library: Any, type: str, value: Any, seen: Any) -> None:
    store = library.Store()
    variable = library.Global(store, global_type(library, type), value)
    assert variable.value(store) == seen
    assert not isinstance(variable.value(store), library.Val)
    variable.set_value(store, library.Val.externref(3) if type == "externref" else value)
    assert variable.value(store) == (3 if type == "externref" else seen)


def test_null_in_a_global(library: Any) -> None:
    """It is a `Val`, which is equal to None."""
    store = library.Store()
    variable = library.Global(store, global_type(library, "externref"), None)
    assert isinstance(variable.value(store), library.Val)
    assert variable.value(store) == None  # noqa: E711


def test_what_a_global_refuses(library: Any) -> None:
    store = library.Store()
    constant = library.Global(store, global_type(library, "i32", False), 1)
    with pytest.raises(library.WasmtimeError, match="immutable global cannot be set"):
        constant.set_value(store, 2)
    with pytest.raises(TypeError):
        constant.set_value(store, "x")
    with pytest.raises(TypeError):
        library.Global(store, global_type(library, "i32"), store)
    with pytest.raises(TypeError, match="expected a GlobalType"):
        library.Global(store, 1, 1)
    with pytest.raises(AttributeError):
        library.Global(1, global_type(library, "i32"), 1)


def test_code_and_host_share_a_global(library: Any) -> None:
    store = library.Store()
    shared = library.Global(store, global_type(library, "i64"), 1)
    module = exports(
        library,
        """(module (import "" "" (global $g (mut i64))) (export "g" (global $g))
             (func (export "double") (global.set $g (i64.add (global.get $g) (global.get $g)))))""",
        [shared],
        store,
    )
    module.double()
    assert (shared.value(store), module.g.value(store)) == (2, 2)
    shared.set_value(store, -5)
    module.double()
    assert shared.value(store) == -10


def table_of(library: Any, store: Any, type: str = "externref", init: Any = None) -> Any:
    limits = library.Limits(2, 4)
    return library.Table(store, library.TableType(getattr(library.ValType, type)(), limits), init)


def test_elements_of_a_table(library: Any) -> None:
    store = library.Store()
    table = table_of(library, store, init="first")
    assert table.size(store) == 2
    table.set(store, 1, "second")
    assert [table.get(store, index) for index in (0, 1)] == ["first", "second"]
    assert table.grow(store, 1, "third") == 2
    assert table.get(store, 2) == "third"


def test_elements_that_are_false(library: Any) -> None:
    """They are a `Val`, which is equal to them; None is where there is no element."""
    store = library.Store()
    table = table_of(library, store, init=0)
    assert isinstance(table.get(store, 0), library.Val)
    assert table.get(store, 0) == 0
    assert table.get(store, 2) is None
    assert table_of(library, store, "funcref").get(store, 0) == None  # noqa: E711


def test_what_a_table_refuses(library: Any) -> None:
    store = library.Store()
    table = table_of(library, store, "funcref")
    for index in (2, 1 << 40):
        with pytest.raises(library.WasmtimeError, match="out of bounds table access"):
            table.set(store, index, None)
    with pytest.raises(library.WasmtimeError, match="failed to grow table by `3`"):
        table.grow(store, 3, None)
    calls: list[Call] = [
        lambda: table.grow(store, 1, "x"),
        lambda: table.set(store, 0, 5),
        lambda: table_of(library, store, "funcref", 7),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="don't know how to convert"):
            call()
    assert table.size(store) == 2


def test_code_calls_what_the_host_puts_into_a_table(library: Any) -> None:
    store = library.Store()
    table = table_of(library, store, "funcref", host(library, store, "-> i32", lambda: 4))
    module = exports(
        library,
        """(module (import "" "" (table 2 funcref)) (func $nine (result i32) (i32.const 9))
             (elem (i32.const 1) $nine) (export "nine" (func $nine))
             (func (export "call") (param i32) (result i32)
               (call_indirect (result i32) (local.get 0))))""",
        [table],
        store,
    )
    assert [module.call(index) for index in (0, 1)] == [4, 9]
    assert table.get(store, 1)(store) == 9
    table.set(store, 0, None)
    with pytest.raises(library.Trap, match="uninitialized element"):
        module.call(0)


@pytest.mark.parametrize(
    ("type", "given", "value"),
    [
        ("i32", 0xFFFF_FFFF, -1),
        ("i32", 0x8_0000_0000, 0),
        ("i64", 1 << 63, -(1 << 63)),
        ("f32", 1.1, 1.100000023841858),
        ("f64", 1.1, 1.1),
        ("externref", "object", "object"),
    ],
)
def test_values(library: Any, type: str, given: Any, value: Any) -> None:
    made = getattr(library.Val, type)(given)
    assert made.value == value
    assert made == value
    assert made == getattr(library.Val, type)(given)
    assert made.type == getattr(library.ValType, type)()
    for other in ("i32", "i64", "f32", "f64", "externref", "funcref"):
        assert getattr(made, f"as_{other}")() == (value if other == type else None)
    with pytest.raises(TypeError, match="unhashable"):
        hash(made)


def test_what_is_no_value(library: Any) -> None:
    calls: list[Call] = [
        lambda: library.Val.i32(1.0),
        lambda: library.Val.i64("1"),
        lambda: library.Val.f32(1),
        lambda: library.Val.f64(None),
    ]
    for make in calls:
        with pytest.raises(TypeError):
            make()
    assert library.Val.ref_null(library.ValType.funcref()).value is None
    with pytest.raises(library.WasmtimeError, match="Invalid reference type"):
        library.Val.ref_null(library.ValType.i32())
    assert library.Val.i32(1) != library.Val.i64(1)


def test_a_value_of_another_type_is_refused(library: Any) -> None:
    store = library.Store()
    with pytest.raises(TypeError, match="wrong type of `Val` provided"):
        host(library, store, "i32 ->", print)(store, library.Val.i64(1))


def test_types(library: Any) -> None:
    named = library.ValType
    names = ("i32", "i64", "f32", "f64", "externref", "funcref")
    types = [getattr(named, name)() for name in names]
    assert [*map(str, types)] == ["i32", "i64", "f32", "f64", "anyref", "funcref"]
    assert all((one == other) is (one is other) for one in types for other in types)
    assert named.i32() == named.i32()
    assert named.i32() != 3
    with pytest.raises(library.WasmtimeError, match="cannot construct directly"):
        named()
    with pytest.raises(TypeError, match="expected Limits"):
        library.TableType(named.funcref(), 3)
    limits = library.TableType(named.funcref(), library.Limits(1, 2)).limits
    assert limits == library.Limits(1, 2)
    assert limits != library.Limits(1, None)
