"""What the tests ask servers with: messages, tools, and clients without a library."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from purewasm_plugins import ToolDefinition, ToolRegistry, ToolResult, WasmPlugin, example
from purewasm_plugins.mcp import HttpServer, McpServer, register_plugins
from purewasm_plugins.mcp.calls import Peer
from purewasm_plugins.mcp.versions import (
    CLIENT_CAPABILITIES,
    LOG_LEVEL,
    MODERN_VERSIONS,
    PROTOCOL_VERSION,
)
from purewasm_plugins.tools import Cancellation

Json = dict[str, Any]

MODERN = MODERN_VERSIONS[0]

#: Seconds after which a test fails in place of waiting on.
PATIENCE = 20.0

NOTHING: Json = {"type": "object", "properties": {}, "additionalProperties": False}


def meta(*, token: str | int | None = None, level: str | None = None, **more: Any) -> Json:
    """Return what a modern request says of itself."""
    found: Json = {PROTOCOL_VERSION: MODERN, CLIENT_CAPABILITIES: {}, **more}
    if token is not None:
        found["progressToken"] = token
    if level is not None:
        found[LOG_LEVEL] = level
    return found


def request(method: str, params: Json | None = None, id: Any = 1, **of_meta: Any) -> Json:
    """Return a modern request."""
    return {
        "jsonrpc": "2.0",
        "id": id,
        "method": method,
        "params": {"_meta": meta(**of_meta), **(params or {})},
    }


def marked(method: str, of_meta: Json) -> Json:
    """Return a modern request that says something else of itself."""
    return request(method, None, **of_meta)


def legacy(method: str, params: Json | None = None, id: Any = 1) -> Json:
    """Return a request of a session that began with `initialize`."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}


def call(name: str, arguments: Json | None = None, id: Any = 1, **of_meta: Any) -> Json:
    """Return a modern call of a tool."""
    return request("tools/call", {"name": name, "arguments": arguments or {}}, id, **of_meta)


def initialize(version: str = "2025-11-25", id: Any = 0) -> Json:
    """Return the request that begins a session."""
    info = {"name": "test", "version": "1"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    return legacy("initialize", params, id)


def cancelled(id: Any) -> Json:
    """Return the notification that cancels a request."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}


class FunctionTool:
    """A Python function as a tool."""

    def __init__(
        self,
        name: str,
        run: Callable[[Cancellation], str] = lambda cancellation: "done",
        parameters: Mapping[str, Any] = NOTHING,
    ) -> None:
        self.definition = ToolDefinition(name, f"The tool {name}", parameters)
        self._run = run

    def execute(self, arguments: Mapping[str, Any]) -> ToolResult:
        return self.execute_cancellable(arguments, None)

    def execute_cancellable(
        self, arguments: Mapping[str, Any], cancellation: Cancellation | None
    ) -> ToolResult:
        output = self._run(cancellation or Cancellation())
        return ToolResult(self.definition.name, success=True, output=output)


class Gate(FunctionTool):
    """A tool that runs until it is opened or cancelled."""

    def __init__(self, name: str = "gate") -> None:
        super().__init__(name, self._wait)
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def open(self) -> None:
        self.opened.set()

    def _wait(self, cancellation: Cancellation) -> str:
        cancellation.on_request(self.opened.set)
        self.entered.release()
        assert self.opened.wait(PATIENCE)
        return "opened"


class Inbox:
    """An outlet that keeps what it gets."""

    def __init__(self) -> None:
        self._messages: queue.Queue[Json] = queue.Queue()
        self.dropped: list[Any] = []

    def send(self, message: Json) -> None:
        self._messages.put(json.loads(json.dumps(message)))

    def drop(self, id: Any) -> None:
        self.dropped.append(id)

    def get(self) -> Json:
        """Return the next message, which may come soon."""
        return self._messages.get(timeout=PATIENCE)

    def response(self) -> Json:
        """Return the next message that is a response."""
        while "method" in (message := self.get()):
            pass
        return message

    @property
    def empty(self) -> bool:
        return self._messages.empty()


class Talk:
    """A client of a server in this process, without a transport between them."""

    def __init__(self, server: McpServer, version: str | None = None) -> None:
        """Connect; with a version, begin with `initialize`."""
        self.server = server
        self.peer = Peer()
        self.inbox = Inbox()
        if version is not None:
            self.ask(initialize(version))

    def send(self, message: Any) -> None:
        """Send bytes as they are, or a value as JSON."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.server.receive(data, self.peer, self.inbox)

    def ask(self, message: Any) -> Json:
        """Send a request, and return the response."""
        self.send(message)
        return self.inbox.response()


def plugins(*names: str) -> ToolRegistry:
    """Return the tools of examples that come with the package."""
    registry, failed = register_plugins(WasmPlugin.load(example(name)) for name in names)
    assert not failed
    return registry


def registry_of(*tools: FunctionTool) -> ToolRegistry:
    registry = ToolRegistry()
    registry.register_all(tools)
    return registry


@contextmanager
def served(server: McpServer, **options: Any) -> Iterator[HttpServer]:
    """Serve over HTTP while the context lasts."""
    with HttpServer(server, **options) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            yield web
        finally:
            web.close()
            thread.join(PATIENCE)


class Answer:
    """An answer of HTTP, of which a stream can be read bit by bit."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._response = connection.getresponse()
        self.status = self._response.status
        self.headers = self._response.headers
        self.streams = self.headers.get("Content-Type") == "text/event-stream"

    def json(self) -> Any:
        return json.loads(self._response.read())

    def event(self) -> Json | None:
        """Return the next message of a stream; None at its end."""
        while line := self._response.readline():
            if line.startswith(b"data: "):
                message: Json = json.loads(line.removeprefix(b"data: "))
                return message
        return None

    def events(self) -> list[Json]:
        return [*iter(self.event, None)]

    def response(self) -> Json:
        """Return the response to the request, however it came."""
        if not self.streams:
            message: Json = self.json()
            return message
        return self.events()[-1]

    def close(self) -> None:
        """Close the connection, as a client that cancels does."""
        self._response.close()
        self._connection.close()


class Browser:
    """A client of HTTP without a library for the protocol."""

    def __init__(self, url: str) -> None:
        self.address = url.removeprefix("http://").removesuffix("/mcp")

    def send(
        self,
        method: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        path: str = "/mcp",
    ) -> Answer:
        """Send a request; headers that are None are left out."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given: dict[str, str | None] = {"Host": self.address}
        if body is not None:
            given |= {"Content-Length": str(len(data)), "Content-Type": "application/json"}
        given |= {"Accept": "application/json, text/event-stream", **(headers or {})}
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(data if body is not None else None)
        return Answer(connection)

    def post(self, message: Any, headers: Mapping[str, str | None] | None = None) -> Answer:
        return self.send("POST", message, headers)

    def modern(self, message: Json, headers: Mapping[str, str | None] | None = None) -> Answer:
        """Send a modern request with the headers that it must have."""
        params = message["params"]
        given: dict[str, str | None] = {
            "MCP-Protocol-Version": params["_meta"].get(PROTOCOL_VERSION),
            "Mcp-Method": message["method"],
            "Mcp-Name": params.get("name"),
        }
        return self.post(message, {**given, **(headers or {})})

    def session(self, version: str = "2025-11-25") -> dict[str, str | None]:
        """Begin a session, and return the headers of its requests."""
        answer = self.post(initialize(version))
        assert answer.status == 200
        return {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"], "MCP-Protocol-Version": version}


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something is true, which other threads make so."""
    latest = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < latest
        time.sleep(0.005)
