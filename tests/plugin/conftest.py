"""A plugin's text, part by part."""

from __future__ import annotations

from collections.abc import Callable

import pytest

#: A whole plugin with one tool that echoes. Strings: name at 16, version at 48, description at 64,
#: the tool's name at 128, its description at 160.
PARTS = {
    "imports": "",
    "memory": '(memory (export "memory") 1)',
    "data": """
      (data (i32.const 16) "built\\00") (data (i32.const 48) "1.0.0\\00")
      (data (i32.const 64) "Built by a test\\00") (data (i32.const 128) "tool\\00")
      (data (i32.const 160) "The only tool\\00")""",
    "plugin_name": '(func (export "plugin_name") (result i32) i32.const 16)',
    "plugin_version": '(func (export "plugin_version") (result i32) i32.const 48)',
    "plugin_description": '(func (export "plugin_description") (result i32) i32.const 64)',
    "plugin_tools_count": '(func (export "plugin_tools_count") (result i32) i32.const 1)',
    "plugin_tool_name": '(func (export "plugin_tool_name") (param i32) (result i32) i32.const 128)',
    "plugin_tool_description": """
      (func (export "plugin_tool_description") (param i32) (result i32) i32.const 160)""",
    "plugin_tool_execute": """
      (func (export "plugin_tool_execute") (param $tool i32) (param $input i32) (result i32)
        local.get $input)""",
    "extra": "",
}


@pytest.fixture(scope="session")
def plugin_text() -> Callable[..., str]:
    """`plugin_text(part=text, …)`: a plugin's text, with other parts in place of some, or more."""

    def plugin_text(**parts: str) -> str:
        return "(module " + "\n".join((PARTS | parts).values()) + ")"

    return plugin_text
