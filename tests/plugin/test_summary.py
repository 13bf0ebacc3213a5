"""The summary of a module and of a plugin: what the command and the page show."""

from __future__ import annotations

import json
from collections.abc import Callable

from purewasm_plugins import WasmPlugin, example
from purewasm_plugins.plugin.summary import module_summary, plugin_summary
from purewasm_plugins.wasm import load

MODULE = """(module
  (import "env" "log" (func (param i32)))
  (import "env" "table" (table 1 funcref))
  (memory (export "memory") 1 2)
  (func $inner (result i64) i64.const 1)
  (func (export "a") (export "plugin_name"))
  (start 2))"""


def test_a_module(wat: Callable[[str], bytes]) -> None:
    data = wat(MODULE)
    summary = module_summary(load(data).module)
    assert json.loads(json.dumps(summary)) == summary
    assert summary["size"] == len(data)
    assert summary["start"] == 2
    assert summary["memories"] == [{"minimum_pages": 1, "maximum_pages": 2, "imported": False}]
    assert summary["functions"] == [
        {
            "index": 0,
            "name": "env.log",
            "exports": [],
            "type": "(i32) -> ()",
            "imported": True,
            "size": 0,
        },
        {
            "index": 1,
            "name": "inner",
            "exports": [],
            "type": "() -> (i64)",
            "imported": False,
            "size": 3,
        },
        {
            "index": 2,
            "name": None,
            "exports": ["a", "plugin_name"],
            "type": "() -> ()",
            "imported": False,
            "size": 1,
        },
    ]
    assert [(entry["name"], entry["abi"]) for entry in summary["exports"]] == [
        ("memory", True),
        ("a", False),
        ("plugin_name", True),
    ]
    assert [entry["type"] for entry in summary["imports"]] == ["(i32) -> ()", "table 1 funcref"]
    custom = [entry for entry in summary["sections"] if "custom_name" in entry]
    assert [entry["custom_name"] for entry in custom] == ["name"]
    assert all(entry["offset"] + entry["size"] <= len(data) for entry in summary["sections"])


def test_a_plugin() -> None:
    summary = plugin_summary(WasmPlugin.load(example("zig_text")))
    assert json.loads(json.dumps(summary)) == summary
    assert summary["name"] == "zig_text"
    assert [tool["name"] for tool in summary["tools"]] == ["levenshtein", "sort_lines"]
    assert summary["tools"][0]["schema"]["type"] == "object"
