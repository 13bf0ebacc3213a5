"""A plugin that passes its input on to a capability, and answers with what that returns."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import WasmPlugin, assemble

#: How many texts each function of the module `purewasm` takes.
PARAMETERS = {"config_get": 1, "http_request": 4, "kv_get": 1, "kv_set": 2, "kv_delete": 1}
PARAMETERS |= {"kv_list": 1}

#: What divides the input into the texts that the function gets.
BETWEEN = "|"

_TEXT = """(module
  (import "purewasm" "{name}" (func $call (param {types}) (result i32)))
  (memory (export "memory") 4 64)
  (global $top (mut i32) (i32.const 1024))
  (data (i32.const 16) "caller\\00") (data (i32.const 32) "1.0.0\\00")
  (data (i32.const 48) "Calls\\00") (data (i32.const 64) "(none)\\00")
  (func (export "plugin_name") (result i32) i32.const 16)
  (func (export "plugin_version") (result i32) i32.const 32)
  (func (export "plugin_description") (result i32) i32.const 48)
  (func (export "plugin_tools_count") (result i32) i32.const 1)
  (func (export "plugin_tool_name") (param i32) (result i32) i32.const 48)
  (func (export "plugin_tool_description") (param i32) (result i32) i32.const 48)
  (func (export "plugin_alloc") (param $size i32) (result i32)
    (block $fits
      (br_if $fits (i32.le_u (i32.add (global.get $top) (local.get $size))
                             (i32.mul (memory.size) (i32.const 65536))))
      (drop (memory.grow (i32.add (i32.const 1)
                                  (i32.div_u (local.get $size) (i32.const 65536))))))
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get $size))))
  (func (export "plugin_free") (param i32))
  (func $next (param $at i32) (result i32)
    (loop $on
      (if (i32.and (i32.ne (i32.load8_u (local.get $at)) (i32.const {between}))
                   (i32.ne (i32.load8_u (local.get $at)) (i32.const 0)))
        (then (local.set $at (i32.add (local.get $at) (i32.const 1))) (br $on))))
    (i32.store8 (local.get $at) (i32.const 0))
    (i32.add (local.get $at) (i32.const 1)))
  (func (export "plugin_tool_execute") (param $tool i32) (param $at i32) (result i32)
    (local $found i32) {locals}
    {split}
    (local.set $found (call $call {arguments}))
    (global.set $top (i32.const 1024))
    (select (local.get $found) (i32.const 64) (local.get $found))))
"""


@functools.cache
def caller_of(name: str) -> bytes:
    """A plugin whose tool calls the function on the texts of its input; `(none)` stands for 0."""
    count = PARAMETERS[name]
    texts = range(count)
    split = ["(local.set $t0 (local.get $at))"]
    split += [f"(local.set $t{n} (call $next (local.get $t{n - 1})))" for n in texts[1:]]
    return assemble(
        _TEXT.format(
            name=name,
            between=ord(BETWEEN),
            types=" ".join(["i32"] * count),
            locals=" ".join(f"(local $t{n} i32)" for n in texts),
            split=" ".join(split),
            arguments=" ".join(f"(local.get $t{n})" for n in texts),
        )
    )


@pytest.fixture
def caller(engine: str) -> Callable[..., WasmPlugin]:
    """`caller(function, **options)`: a plugin of `caller_of`, on the engine."""

    def caller(name: str, **options: Any) -> WasmPlugin:
        return WasmPlugin.load_from_bytes(caller_of(name), engine=engine, **options)

    return caller
