"""Calls of functions of modules, and of Python: values, their checks, and what is raised."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.wasm.binary.encoder import unsigned
from tests.wasmtime.wat import exports, function_type, host

BIG = 0x1_2345_6789_ABCD_EF01


@pytest.mark.parametrize(
    ("type", "value", "seen"),
    [
        ("i32", 7, 7),
        ("i32", True, 1),
        ("i32", -1, -1),
        ("i32", 0xFFFF_FFFF, -1),
        ("i32", BIG, 0xABCD_EF01 - (1 << 32)),
        ("i64", BIG, BIG - (1 << 64)),
        ("i64", -(1 << 63), -(1 << 63)),
        ("f32", 1.1, 1.100000023841858),
        ("f32", 1e300, math.inf),
        ("f64", 1.1, 1.1),
        ("f64", -0.0, -0.0),
        ("externref", "any object", "any object"),
        ("externref", 5, 5),
        ("externref", None, None),
        ("funcref", None, None),
    ],
)
def test_a_value_comes_back(library: Any, type: str, value: Any, seen: Any) -> None:
    module = exports(
        library,
        f'(module (func (export "same") (param {type}) (result {type}) (local.get 0)))',
    )
    result = module.same(value)
    assert result == seen
    assert result.__class__ is seen.__class__
    store = library.Store()
    assert host(library, store, f"{type} -> {type}", lambda same: same)(store, value) == seen


@pytest.mark.parametrize(
    ("type", "value", "error"),
    [
        ("i32", 1.5, TypeError),
        ("i32", None, TypeError),
        ("i32", "7", TypeError),
        ("i64", 1.0, TypeError),
        ("f32", 1, TypeError),
        ("f64", True, TypeError),
        ("funcref", 3, TypeError),
    ],
)
def test_a_value_of_another_type(
    library: Any, type: str, value: Any, error: type[Exception]
) -> None:
    store = library.Store()
    call = host(library, store, f"{type} ->", lambda value: None)
    with pytest.raises(error, match=f"don't know how to convert .* to {type}"):
        call(store, value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "too few parameters provided: given 0, expected 2"),
        ((1,), "too few parameters provided: given 1, expected 2"),
        ((1, 2, 3), "too many parameters provided: given 3, expected 2"),
    ],
)
def test_the_number_of_arguments(library: Any, arguments: tuple[int, ...], message: str) -> None:
    module = exports(library, '(module (func (export "f") (param i32 i32)))')
    with pytest.raises(library.WasmtimeError, match=message):
        module.f(*arguments)


def test_no_parameters_but_arguments(library: Any) -> None:
    module = exports(library, '(module (func (export "f")))')
    assert module.f() is None
    with pytest.raises(library.WasmtimeError, match="too many parameters provided"):
        module.f(1)


def test_several_results_are_a_list(library: Any) -> None:
    module = exports(
        library,
        """(module (func (export "f") (result i32 i64 f64)
             (i32.const -1) (i64.const -2) (f64.const 3)))""",
    )
    assert module.f() == [-1, -2, 3.0]


def test_the_result_of_a_comparison_is_no_bool(library: Any) -> None:
    module = exports(
        library,
        """(module (func (export "f") (param i32) (result i32)
             (i32.eqz (local.get 0))))""",
    )
    assert module.f(0) is not True
    assert module.f(0) == 1


@pytest.mark.parametrize(
    ("type", "result", "error"),
    [
        ("-> i32", None, TypeError),
        ("-> i32", 2.5, TypeError),
        ("-> i32", [1], TypeError),
        ("->", 1, "produced results when it shouldn't"),
        ("->", [], "produced results when it shouldn't"),
        ("-> i32 i32", 1, TypeError),
        ("-> i32 i32", None, TypeError),
        ("-> i32 i32", [1], "produced wrong number of results"),
        ("-> i32 i32", [1, 2, 3], "produced wrong number of results"),
        ("-> i32 i32", [1, "2"], TypeError),
    ],
)
def test_wrong_results_of_a_host_function(
    library: Any, type: str, result: Any, error: type[Exception] | str
) -> None:
    store = library.Store()
    function = host(library, store, type, lambda: result)
    module = exports(
        library,
        f"""(module (import "" "" (func $h{_results(type)}))
              (func (export "f"){_results(type)} (call $h)))""",
        [function],
        store,
    )
    kind, message = (library.WasmtimeError, error) if isinstance(error, str) else (error, None)
    for call in (module.f, lambda: function(store)):
        with pytest.raises(kind, match=message):
            call()


def _results(type: str) -> str:
    results = type.removeprefix("->")
    return f" (result{results})" if results else ""


def test_results_of_a_host_function(library: Any) -> None:
    """An int wraps, and any sequence is a sequence of results."""
    store = library.Store()
    assert host(library, store, "-> i32", lambda: 1 << 33)(store) == 0
    assert host(library, store, "-> i32 i32", lambda: (1, -1))(store) == [1, -1]
    assert host(library, store, "-> i32 f64", lambda: {1: "", 2.5: ""})(store) == [1, 2.5]
    value = library.Val.i64(9)
    assert host(library, store, "-> i64", lambda: value)(store) == 9


class Odd(BaseException):
    pass


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), KeyboardInterrupt(), SystemExit(3), Odd(), RecursionError("deep")],
    ids=repr,
)
def test_what_a_host_function_raises_comes_out_as_itself(
    library: Any, error: BaseException
) -> None:
    store = library.Store()

    def fail() -> None:
        raise error

    function = host(library, store, "->", fail)
    text = """(module (import "" "" (func $h)) (func $f (export "f") (call $h))
                (func (export "ok") (result i32) (i32.const 1)))"""
    module = exports(library, text, [function], store)
    starts = library.Module(
        store.engine, '(module (import "" "" (func $h)) (func $s (call $h)) (start $s))'
    )
    for call in (
        module.f,
        lambda: function(store),
        lambda: library.Instance(store, starts, [function]),
    ):
        with pytest.raises(type(error)) as raised:
            call()
        assert raised.value is error
    assert module.ok() == 1


def test_the_cause_of_what_a_host_function_raises_is_kept(library: Any) -> None:
    store = library.Store()

    def fail() -> None:
        raise Odd from KeyError("why")

    function = host(library, store, "->", fail)
    text = '(module (import "" "" (func $h)) (func (export "f") (call $h)))'
    module = exports(library, text, [function], store)
    for call in (module.f, lambda: function(store)):
        with pytest.raises(Odd) as raised:
            call()
        assert repr(raised.value.__cause__) == "KeyError('why')"


def test_errors_of_the_interface_in_a_host_function(library: Any) -> None:
    store = library.Store()
    for error in (library.Trap("why"), library.WasmtimeError("what")):

        def fail(error: Exception = error) -> None:
            raise error

        module = exports(
            library,
            '(module (import "" "" (func $h)) (func (export "f") (call $h)))',
            [host(library, store, "->", fail)],
            store,
        )
        with pytest.raises(type(error)) as raised:
            module.f()
        assert raised.value is error
        assert str(error) in ("why", "what")


def test_a_host_function_may_catch_a_trap_of_a_call(library: Any) -> None:
    store = library.Store()
    inner = exports(library, '(module (func (export "f") unreachable))', store=store)

    def careful() -> int:
        with pytest.raises(library.Trap):
            inner.f()
        return 7

    module = exports(
        library,
        """(module (import "" "" (func $h (result i32)))
             (func (export "f") (result i32) (call $h)))""",
        [host(library, store, "-> i32", careful)],
        store,
    )
    assert module.f() == 7


def test_functions_as_values(library: Any) -> None:
    store = library.Store()
    module = exports(
        library,
        """(module (func (export "same") (param funcref) (result funcref) (local.get 0))
             (func $one (export "one") (result i32) (i32.const 1)) (elem declare func $one)
             (func (export "get") (result funcref) (ref.func $one)))""",
        store=store,
    )
    assert module.get()(store) == 1
    assert module.same(host(library, store, "-> i32", lambda: 2))(store) == 2
    assert module.same(module.get())(store) == 1
    assert module.same(library.Val.funcref(None)) is None
    seen = host(library, store, "funcref -> i32", lambda function: function(store))
    assert seen(store, module.get()) == 1


def test_the_type_of_a_function(library: Any) -> None:
    store = library.Store()
    type = host(library, store, "i32 f64 -> externref", print).type(store)
    named = library.ValType
    assert type.params == [named.i32(), named.f64()]
    assert type.results == [named.externref()]


def test_what_makes_no_function(library: Any) -> None:
    store = library.Store()
    with pytest.raises(TypeError, match="expected a Store"):
        library.Func(1, function_type(library, "->"), print)
    with pytest.raises(TypeError, match="expected a FuncType"):
        library.Func(store, 1, print)
    with pytest.raises(TypeError, match="expected ValType"):
        library.FuncType([1], [])


def test_a_function_of_another_store(ours: Any) -> None:
    """In wasmtime it ends the process."""
    store, other = ours.Store(), ours.Store()
    function = host(ours, other, "->", lambda: None)
    with pytest.raises(ours.WasmtimeError, match="wrong store"):
        function(store)
    with pytest.raises(ours.WasmtimeError, match="wrong store"):
        host(ours, store, "funcref ->", lambda value: None)(store, function)
    with pytest.raises(ours.WasmtimeError, match="wrong store"):
        exports(ours, '(module (import "" "" (func)))', [function], store)


def test_vectors_are_sixteen_bytes(ours: Any) -> None:
    """There they are not implemented."""
    module = exports(
        ours, '(module (func (export "same") (param v128) (result v128) (local.get 0)))'
    )
    vector = bytes(range(16))
    assert module.same(bytearray(vector)) == vector
    with pytest.raises(TypeError, match="to v128"):
        module.same(b"short")


def test_a_large_function(ours: Any) -> None:
    """One whose code is longer than a plugin's limits allow: 250 000 times `nop`."""
    module = bytes(ours.wat2wasm('(module (func (export "f") (result i32) i32.const 7))'))
    small = b"\x0a\x06\x01\x04\x00\x41\x07\x0b"
    assert small in module
    code = b"\x00" + b"\x01" * 250_000 + small[-3:]
    function = unsigned(len(code)) + code
    section = b"\x0a" + unsigned(len(function) + 1) + b"\x01" + function
    store = ours.Store()
    large = ours.Module(store.engine, module.replace(small, section))
    assert ours.Instance(store, large, []).exports(store)["f"](store) == 7


PYTHON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.just("text"),
    st.just((1,)),
)


@pytest.mark.parametrize("type", ["i32", "i64", "f32", "f64", "externref", "funcref"])
def test_any_value_has_the_same_outcome(wasmtime: Any, ours: Any, type: str) -> None:
    """As an argument, as what a host function gets, and as its result."""
    text = f"""(module (import "" "" (func $h (param {type}) (result {type})))
                 (func (export "f") (param {type}) (result {type}) (call $h (local.get 0))))"""
    seen: list[object] = []
    calls: list[list[Callable[..., object]]] = []
    value: object = None

    def note(same: object) -> object:
        seen.append(same)
        return same

    for library in (wasmtime, ours):
        store = library.Store()
        called = host(library, store, f"{type} -> {type}", note)
        give = host(library, store, f"-> {type}", lambda: value)
        calls.append([exports(library, text, [called], store).f, partial(give, store)])

    @given(PYTHON_VALUES)
    def check(tried: object) -> None:
        nonlocal value
        value = tried
        outcomes = []
        for call, give in calls:
            seen.clear()
            outcomes.append([_outcome(call, value), repr(seen), _outcome(give)])
        assert outcomes[0] == outcomes[1]

    check()


def _outcome(call: Callable[..., object], *arguments: object) -> str:
    """Return what a call returns or raises, as text."""
    try:
        return repr(call(*arguments))
    except Exception as error:
        return f"{error.__class__.__name__}: {error}"
