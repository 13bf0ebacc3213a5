"""The entry of one tool in the list of OpenAI's API, which a registry can write by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from purewasm_plugins.tools.schema.dialects import MODEL, written

__all__ = ["openai_entry", "openai_function"]


def openai_entry(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry of `tools` in OpenAI's chat completions API.

    Args:
        name: a name that agents accept.
        description, parameters: as a `ToolDefinition` has them.
    """
    return openai_function(name, *written(description, parameters, MODEL))


def openai_function(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a tool whose schema is written in the server's dialect."""
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }
