"""Compiled plugins give their outputs on every engine; the tests run in Pyodide, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from purewasm_plugins import WasmPlugin

Load = Callable[..., WasmPlugin]

#: Plugin, tool, input, output.
CASES: list[tuple[str, str, str, str]] = [
    ("starter/shout_c.wasm", "shout", "grüße", "GRüßE"),
    ("starter/shout_rust.wasm", "shout", "grüße", "GRÜSSE"),
    ("starter/shout_zig.wasm", "shout", "hello", "HELLO"),
    ("starter/shout_assemblyscript.wasm", "shout", "hello", "HELLO"),
    ("c_encode/encode.wasm", "base64_encode", "Hello!", "SGVsbG8h"),
    ("c_encode/encode.wasm", "base64_decode", "SGVsbG8h", "Hello!"),
    (
        "c_encode/encode.wasm",
        "sha256",
        "abc",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    ("c_json/json.wasm", "json_compact", '{ "a" : [ 1, 2 ] }', '{"a":[1,2]}'),
    ("c_csv/csv.wasm", "sort_lines", "pear\napple\nfig", "apple\nfig\npear"),
    ("as_lines/lines.wasm", "levenshtein", "kitten\nsitting", "3"),
    ("zig_text/text.wasm", "levenshtein", '{"a":"kitten","b":"sitting"}', "3"),
    ("rust_documents/documents.wasm", "markdown_to_html", "*hi*", "<p><em>hi</em></p>"),
]


@pytest.mark.parametrize(("source", "tool", "input", "output"), CASES)
def test_real_plugins(load: Load, source: str, tool: str, input: str, output: str) -> None:
    plugin = load(source)
    assert plugin.execute_tool(tool, input).strip() == output
    # A second call is not disturbed by what the first one left in memory.
    assert plugin.execute_tool(tool, input).strip() == output


def test_tables_in_three_languages_agree(load: Load) -> None:
    table = 'name,says\nAda,"a, b"\nGrace,""""\n'
    found: list[Any] = [
        json.loads(load(source).execute_tool("csv_to_json", table))
        for source in ("c_csv/csv.wasm", "as_lines/lines.wasm", "rust_documents/documents.wasm")
    ]
    assert found[0] == [{"name": "Ada", "says": "a, b"}, {"name": "Grace", "says": '"'}]
    assert found[0] == found[1] == found[2]
