"""Names of tools for agents: those that the API of every vendor accepts.

Imported only where a format is made, or where a tool is called by a name that no tool has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

__all__ = ["AGENT_NAME", "agent_name", "agent_names"]

#: The names of tools that agents accept: OpenAI, Anthropic and the clients of MCP take these
#: characters and this length, and Gemini demands the first character.
AGENT_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")

#: The most characters of a name before the digest.
_KEPT = 64 - 9


def agent_name(name: str, attempt: int = 0) -> str:
    """Return the name of a tool for an agent.

    Args:
        name: the tool's name.
        attempt: a number; another number gives another name, for a name that is taken.

    Returns:
        The name itself where agents accept it. Otherwise each run of other characters becomes one
        underscore, and eight digits that depend on the whole name follow: `json.pretty` becomes
        `json_pretty_` and the digits, whatever other tools there are. An underscore is put before
        a digit or a hyphen.
    """
    if attempt == 0 and AGENT_NAME.fullmatch(name):
        return name
    data = name.encode("utf-8", "surrogatepass") + b"\0" * attempt
    digest = hashlib.sha256(data).hexdigest()[:8]
    kept = re.sub(r"[^a-zA-Z0-9_-]+", "_", name[:1024]).strip("_") or "tool"
    start = "_" if kept[0] in "-0123456789" else ""
    return f"{(start + kept)[:_KEPT]}_{digest}"


def agent_names(names: Iterable[str]) -> dict[str, str]:
    """Return the name of each tool for an agent. No two names are equal.

    Args:
        names: the names of all tools, in their order.
    """
    names = list(names)
    taken = {name for name in names if AGENT_NAME.fullmatch(name)}
    chosen: dict[str, str] = {}
    for name in names:
        chosen[name] = name
        if name not in taken:
            attempt = 0
            while (other := agent_name(name, attempt)) in taken:
                attempt += 1
            chosen[name] = other
            taken.add(other)
    return chosen
