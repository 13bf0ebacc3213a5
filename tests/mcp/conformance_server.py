"""A server with the tools that the protocol's own conformance runner calls.

python -m tests.mcp.conformance_server 3000
"""

from __future__ import annotations

import logging
import sys
import time
from functools import partial

from purewasm_plugins import ToolRegistry
from purewasm_plugins.mcp import HttpServer, McpServer, calls
from purewasm_plugins.plugin.output import LOGGER
from purewasm_plugins.tools import Cancellation
from tests.mcp.clients import FunctionTool

#: The schema that the runner wants to see again, as it is.
WITH_EVERY_KEYWORD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def simple_text(cancellation: Cancellation) -> str:
    return "This is a simple text response for testing."


def fail(cancellation: Cancellation) -> str:
    raise ValueError("This tool intentionally returns an error for testing")


def with_progress(cancellation: Cancellation) -> str:
    for progress in (1, 50, 100):
        cancellation.on_measure(partial(float, progress))
        time.sleep(0.1)
    return "done"


def with_logging(cancellation: Cancellation) -> str:
    logger = logging.getLogger(LOGGER)
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        logger.info(text)
        time.sleep(0.05)
    return "done"


def main() -> None:
    """Serve the tools, and those with which the runner changes their list."""
    registry = ToolRegistry()
    server = McpServer(registry)

    def change(cancellation: Cancellation) -> str:
        if not registry.unregister("test_added"):
            registry.register(FunctionTool("test_added", simple_text))
        server.tools_changed()
        return "changed"

    registry.register_all(
        [
            FunctionTool("test_simple_text", simple_text),
            FunctionTool("test_error_handling", fail),
            FunctionTool("test_tool_with_progress", with_progress),
            FunctionTool("test_tool_with_logging", with_logging),
            FunctionTool("test_logging_tool", with_logging),
            FunctionTool("test_streaming_elicitation", simple_text),
            FunctionTool("test_trigger_tool_change", change),
            FunctionTool("json_schema_2020_12_tool", parameters=WITH_EVERY_KEYWORD),
        ]
    )
    calls.PROGRESS_PERIOD = 0.02
    with HttpServer(server, port=int(sys.argv[1])) as http:
        http.serve_forever()


if __name__ == "__main__":
    main()
