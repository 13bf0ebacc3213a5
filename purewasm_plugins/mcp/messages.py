"""JSON-RPC 2.0 as the protocol uses it: messages from bytes, and messages for the client."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from purewasm_plugins.errors import PureWasmError
from purewasm_plugins.mcp.versions import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from purewasm_plugins.support.json_text import read_json
from purewasm_plugins.support.records import Record

__all__ = [
    "Message",
    "Notification",
    "ProtocolError",
    "Request",
    "Response",
    "encode",
    "error_response",
    "notification",
    "read_message",
    "read_value",
    "result_response",
]

JsonObject: TypeAlias = dict[str, Any]
RequestId: TypeAlias = str | int

#: Characters of an id, or of a token of progress: as long as the call runs, it is kept.
MOST_OF_AN_ID = 1000


class ProtocolError(PureWasmError):
    """The reason why a message is answered with an error.

    Attributes:
        code: the number that the protocol gives to such errors.
        message: the reason, in words.
        data: what the protocol says that goes with it, or None.
        id: the id of the request, where it could be read.
    """

    def __init__(
        self, code: int, message: str, data: Any = None, id: RequestId | None = None
    ) -> None:
        super().__init__(code, message, data, id)
        self.code = code
        self.message = message
        self.data = data
        self.id = id

    def _words(self) -> str:
        return self.message


class Request(Record):
    """A message that wants a response.

    Attributes:
        id: what the response is known by.
        method, params: what is asked for.
    """

    id: RequestId
    method: str
    params: JsonObject


class Notification(Record):
    """A message that wants no response."""

    method: str
    params: JsonObject


class Response(Record):
    """A client's response to a request of the server.

    Attributes:
        message: the whole message.
    """

    message: JsonObject


Message: TypeAlias = Request | Notification | Response


def read_value(data: bytes) -> Any:
    """Read the JSON of a message, or of a batch.

    Raises:
        ProtocolError: it is no JSON in UTF-8, or is nested too deep.
    """
    try:
        return read_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(PARSE_ERROR, f"Parse error: {error}") from None


def read_message(value: Any) -> Message:
    """Return the message that a JSON value is.

    Raises:
        ProtocolError: it is none; the error has the id, where it can be read.
    """
    if not isinstance(value, dict):
        raise ProtocolError(INVALID_REQUEST, "Invalid request: a message is a JSON object")
    id = value.get("id")
    known = id if is_id(id) else None
    if value.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, 'Invalid request: "jsonrpc" must be "2.0"', id=known)
    method = value.get("method")
    if method is None and ("result" in value or "error" in value):
        return Response(value)
    if not isinstance(method, str):
        raise ProtocolError(INVALID_REQUEST, 'Invalid request: "method" must be a string', id=known)
    params = value.get("params", {})
    if "id" in value and known is None:
        details = f'"id" must be an integer, or a string of at most {MOST_OF_AN_ID} characters'
        raise ProtocolError(INVALID_REQUEST, f"Invalid request: {details}")
    if not isinstance(params, dict):
        raise ProtocolError(INVALID_PARAMS, '"params" must be an object', id=known)
    return Notification(method, params) if known is None else Request(known, method, params)


def is_id(value: Any) -> bool:
    """Return whether a value may be an id, or a token of progress."""
    if isinstance(value, str):
        return len(value) <= MOST_OF_AN_ID
    return isinstance(value, int) and not isinstance(value, bool)


def result_response(id: RequestId, result: JsonObject) -> JsonObject:
    """Return the response to a request that succeeded."""
    return {"jsonrpc": "2.0", "id": id, "result": result}


def error_response(error: ProtocolError) -> JsonObject:
    """Return the response for an error; without an id where none could be read."""
    body: JsonObject = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    known: JsonObject = {} if error.id is None else {"id": error.id}
    return {"jsonrpc": "2.0", **known, "error": body}


def notification(method: str, params: JsonObject | None = None) -> JsonObject:
    """Return a notification for the client."""
    rest: JsonObject = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "method": method, **rest}


def encode(message: JsonObject | list[JsonObject]) -> bytes:
    """Return a message as one line of JSON, without the end of the line.

    A lone surrogate, which UTF-8 has not, becomes a question mark.
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
