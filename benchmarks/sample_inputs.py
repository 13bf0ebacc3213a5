"""An input for each tool of the real plugins: a page of typical text.

An input is small enough for an interpreter of less than a million instructions a second.
"""

from __future__ import annotations

import base64
import json

from purewasm_plugins import PluginTool, WasmPlugin

TEXT = (
    "A plugin is a file that exports functions. The host loads it, reads its tools,\n"
    "and runs them on text; nothing else crosses the border between the two.\n"
    "Änderungen an Gerüsten bleiben möglich, und 日本語 bleibt lesbar.\n"
)
JSON = json.dumps(
    {
        "name": "purewasm",
        "sizes": list(range(0, 4000, 250)),
        "nested": {"a": {"b": {"c": [None, True, False, -2.5e-3, "\u00e9\n"]}}},
        "people": [{"id": i, "name": f"person {i}", "tags": ["x", "y"]} for i in range(8)],
    },
    separators=(",", ":"),
)
CSV = "id,name,comment\n" + "".join(f'{i},person {i},"said ""hello"", twice"\n' for i in range(12))
LINES = "\n".join(f"{i * 7919 % 10007} line" for i in range(40))
MARKDOWN = (
    "# Title\n\nSome *emphasised* and **strong** text with `code` and a [link](https://example.org).\n"
    "\n## List\n\n- one\n- two\n  - nested\n\n1. first\n2. second\n\n> A quotation.\n\n"
    "```\nfor x in y:\n    print(x)\n```\n\nThe end & so on.\n"
)

#: Inputs by tool: arguments if the tool has a schema, otherwise a text.
INPUTS: dict[str, str] = {
    "base64_encode": TEXT,
    "base64_decode": base64.b64encode(TEXT.encode()).decode(),
    "sha256": TEXT,
    "hex_encode": TEXT,
    "hex_decode": TEXT.encode("ascii", "replace").hex(),
    "json_pretty": JSON,
    "json_compact": JSON,
    "json_sort_keys": JSON,
    "json_summary": JSON,
    "csv_to_json": CSV,
    "sort_lines": LINES,
    "markdown_to_html": MARKDOWN,
    "count_words": TEXT,
    "levenshtein": "the quick brown fox jumps\nthat quiet crown fix jumped",
}
ARGUMENTS: dict[str, dict[str, object]] = {
    "levenshtein": {"a": "the quick brown fox jumps", "b": "that quiet crown fix jumped"},
    "sort_lines": {"text": LINES},
}


def input_of(tool: PluginTool) -> str:
    """Return the input for measuring a tool."""
    if tool.schema is not None and tool.name in ARGUMENTS:
        return json.dumps(ARGUMENTS[tool.name], ensure_ascii=False, separators=(",", ":"))
    return INPUTS.get(tool.name, TEXT)


def sample_input(plugin: WasmPlugin) -> tuple[str, str]:
    """Return a plugin's first tool and its input."""
    return plugin.tools[0].name, input_of(plugin.tools[0])
