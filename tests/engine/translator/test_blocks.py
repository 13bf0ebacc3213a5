"""The results of blocks, loops and ifs, on every way out of them."""

from __future__ import annotations

import pytest
import wasmtime

from purewasm_plugins import Function, instantiate
from tests.conftest import assemble

#: A value that is negative before it is masked goes through each of these unchanged, or plus 5.
BODIES = {
    "if without else": """local.get 1
      if (param i32) (result i32) i32.const 5 i32.add end""",
    "if with else": """local.get 1
      if (param i32) (result i32) i32.const 5 i32.add else nop end""",
    "block": "block (param i32) (result i32) local.get 1 br_if 0 i32.const 5 i32.add end",
    "loop": "loop (param i32) (result i32) i32.const 5 i32.add end",
    "br_table": """block (param i32) (result i32)
      block (param i32) (result i32) local.get 1 br_table 0 1 1 end i32.const 5 i32.add end""",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_parameters_that_become_results(body: str, engine: str) -> None:
    text = f"""(module (func (export "run") (param i32 i32) (result i32)
      local.get 0 i32.const 1 i32.sub {body}))"""
    data = assemble(text)
    store = wasmtime.Store()
    expected = wasmtime.Instance(store, wasmtime.Module(store.engine, data), [])
    oracle = expected.exports(store)["run"]
    assert isinstance(oracle, wasmtime.Func)
    run = instantiate(data, engine=engine).exports["run"]
    assert isinstance(run, Function)
    for value in (0, -3, 7, 0x7FFFFFFF, -0x80000000):
        for chosen in (0, 1, 2):
            assert run(value, chosen) == oracle(store, value, chosen)
