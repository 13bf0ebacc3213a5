"""The results of requests, for each revision, and what a modern request says of itself."""

from __future__ import annotations

from typing import Any

from purewasm_plugins.mcp.messages import JsonObject, ProtocolError, is_id
from purewasm_plugins.mcp.versions import (
    CLIENT_CAPABILITIES,
    CLIENT_INFO,
    INVALID_PARAMS,
    LEGACY_VERSIONS,
    LOG_LEVEL,
    LOG_LEVELS,
    MODERN_VERSIONS,
    PROTOCOL_VERSION,
    SERVER_INFO,
    UNSUPPORTED_VERSION,
)
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.version import VERSION

__all__ = [
    "CAPABILITIES",
    "Wishes",
    "can_elicit",
    "client_name",
    "complete",
    "initialize_result",
    "is_modern",
    "legacy_wishes",
    "log_level",
    "modern_wishes",
]

CAPABILITIES: JsonObject = {"tools": {"listChanged": True}, "logging": {}}

#: Milliseconds for which a client may keep a list.
_TTL = 60_000

_SERVER: JsonObject = {"name": "purewasm", "version": VERSION}


class Wishes(Record):
    """What a request says of itself, beside what it asks for.

    Attributes:
        modern: whether it is of a stateless revision.
        log_level: the least important level of log messages that the client wants; None for none.
        progress_token: what notifications of progress are known by; None for none of them.
        client: the name and the version that the client gives itself, or None.
        elicits: whether the client can ask a person for input, in a form; of a stateless revision.
    """

    modern: bool
    log_level: str | None = None
    progress_token: str | int | None = None
    elicits: bool = False
    client: str | None = None


def is_modern(params: JsonObject) -> bool:
    """Return whether a request has its version with it."""
    meta = params.get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION in meta


def modern_wishes(params: JsonObject) -> Wishes:
    """Check what each modern request must say of itself.

    Raises:
        ProtocolError: something is missing or wrong, or the version is not supported.
    """
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        raise _invalid('"_meta" is missing: it must be an object')
    version = meta.get(PROTOCOL_VERSION)
    if not isinstance(version, str):
        raise _invalid(f'"{PROTOCOL_VERSION}" in "_meta" must be a string')
    if version not in MODERN_VERSIONS:
        data = {"supported": list(MODERN_VERSIONS), "requested": version}
        raise ProtocolError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
    capabilities = meta.get(CLIENT_CAPABILITIES)
    if not isinstance(capabilities, dict):
        raise _invalid(f'"{CLIENT_CAPABILITIES}" in "_meta" must be an object')
    level = meta.get(LOG_LEVEL)
    return Wishes(
        True,
        None if level is None else log_level(level),
        _progress_token(meta),
        can_elicit(capabilities),
        client_name(meta.get(CLIENT_INFO)),
    )


def client_name(info: Any) -> str | None:
    """Return the name and the version of a client from what it says of itself, or None."""
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        return None
    version = info.get("version")
    return f"{info['name']} {version}"[:200] if isinstance(version, str) else info["name"][:200]


def can_elicit(capabilities: Any) -> bool:
    """Return whether a client with these capabilities can ask a person for input, in a form."""
    found = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(found, dict) and (not found or isinstance(found.get("form"), dict))


def legacy_wishes(params: JsonObject, level: str | None, client: str | None) -> Wishes:
    """Check what a request after `initialize` says of itself.

    Args:
        params: of the request.
        level: the level of the session.
        client: what the client called itself at its start.

    Raises:
        ProtocolError: something is wrong.
    """
    meta = params.get("_meta")
    token = _progress_token(meta) if isinstance(meta, dict) else None
    return Wishes(False, level, token, client=client)


def log_level(value: Any) -> str:
    """Return a level of log messages.

    Raises:
        ProtocolError: the value is none.
    """
    if not isinstance(value, str) or value not in LOG_LEVELS:
        raise _invalid(f"invalid log level; the levels are {', '.join(LOG_LEVELS)}")
    return value


def complete(result: JsonObject, *, cache_scope: str | None = None) -> JsonObject:
    """Return a result as modern revisions have it.

    Args:
        result: its own fields.
        cache_scope: for which clients it may be kept, "public" or "private"; None where it may not.
    """
    meta = {SERVER_INFO: _SERVER} | result.pop("_meta", {})
    kept: JsonObject = {} if cache_scope is None else {"ttlMs": _TTL, "cacheScope": cache_scope}
    return {"resultType": "complete", **result, **kept, "_meta": meta}


def initialize_result(params: JsonObject, instructions: str | None) -> JsonObject:
    """Return the result of `initialize`: the version is the client's, or the newest before 2026.

    Raises:
        ProtocolError: the client names no version.
    """
    version = params.get("protocolVersion")
    if not isinstance(version, str):
        raise _invalid('"protocolVersion" must be a string')
    result: JsonObject = {
        "protocolVersion": version if version in LEGACY_VERSIONS else LEGACY_VERSIONS[0],
        "capabilities": CAPABILITIES,
        "serverInfo": _SERVER,
    }
    return result if instructions is None else {**result, "instructions": instructions}


def _progress_token(meta: JsonObject) -> str | int | None:
    token: Any = meta.get("progressToken")
    if token is None or is_id(token):
        return token  # type: ignore[no-any-return]
    raise _invalid('"progressToken" must be an integer, or a string that is not too long')


def _invalid(details: str) -> ProtocolError:
    return ProtocolError(INVALID_PARAMS, f"Invalid params: {details}")
