"""No argument of a function that compilers import harms the host: a result, or a typed error."""

from __future__ import annotations

import functools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins import Instance, ResourceLimits, Wasi, instantiate
from purewasm_plugins.errors import WasmError
from purewasm_plugins.wasi import assemblyscript, emscripten
from purewasm_plugins.wasm.types import FuncType, ValType
from tests.conftest import assemble

FUNCTIONS = sorted({*assemblyscript._FUNCTIONS, *emscripten._FUNCTIONS}, key=str)

PAGE = 65536

#: Numbers near the borders of a memory of two pages, and any others.
ADDRESSES = st.one_of(
    st.integers(-(2**31), 2**31 - 1),
    st.builds(int.__add__, st.sampled_from((0, PAGE, 2 * PAGE)), st.integers(-9, 9)),
)
VALUES = {ValType.I32: ADDRESSES, ValType.F64: st.floats(width=64)}


def declared(keyword: str, types: tuple[ValType, ...]) -> str:
    return f"({keyword} {' '.join(map(str, types))})" if types else ""


@functools.cache
def program(name: str, type: FuncType) -> Instance:
    """A program that exports a function that it imports; its memory may grow to four pages."""
    signature = f"{declared('param', type.params)} {declared('result', type.results)}"
    arguments = "".join(f"(local.get {index})" for index in range(len(type.params)))
    text = f"""(module (import "env" "{name}" (func $f {signature}))
      (memory (export "memory") 2 4)
      (func (export "setThrew") (param i32 i32))
      (func (export "call") {signature} (call $f {arguments})))"""
    limits = ResourceLimits(fuel=10_000_000)
    return instantiate(assemble(text), limits=limits, wasi=Wasi(stdout="discard", stderr="discard"))


@pytest.mark.parametrize(("name", "type"), FUNCTIONS, ids=lambda value: str(value))
@given(data=st.data())
def test_any_arguments(name: str, type: FuncType, data: st.DataObject) -> None:
    instance = program(name, type)
    arguments = [data.draw(VALUES[param]) for param in type.params]
    size = data.draw(ADDRESSES)
    memory = instance.exports.memory()
    for address in arguments:
        # The size of a string, where an argument is the address of one.
        if isinstance(address, int) and 4 <= address <= memory.size:
            memory.write_i32(address - 4, size)
    with suppress(WasmError):
        instance.exports.function("call")(*arguments)
    assert memory.pages <= 4
