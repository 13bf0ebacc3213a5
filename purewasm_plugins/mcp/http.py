"""The transport over HTTP: each message is a POST request, answered with JSON or with a stream."""

from __future__ import annotations

import io
import ipaddress
import logging
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.mcp.access import (
    Access,
    Refusal,
    check_headers,
    content_length,
    media_type_accepted,
)
from purewasm_plugins.mcp.calls import ACKNOWLEDGED, Peer
from purewasm_plugins.mcp.messages import (
    JsonObject,
    Message,
    ProtocolError,
    Request,
    Response,
    encode,
    error_response,
    read_message,
    read_value,
)
from purewasm_plugins.mcp.outbox import Outbox, TimedReader, is_gone
from purewasm_plugins.mcp.results import is_modern, modern_wishes
from purewasm_plugins.mcp.server import McpServer
from purewasm_plugins.mcp.sessions import Session, Sessions
from purewasm_plugins.mcp.versions import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LEGACY_VERSIONS,
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
)

__all__ = ["PATH", "HttpServer"]

#: The path of the endpoint.
PATH = "/mcp"

_SESSION = "Mcp-Session-Id"
_JSON = "application/json"
_STREAM = "text/event-stream"
_STREAM_HEADERS = {
    "Content-Type": _STREAM,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "Connection": "close",
}

_LOGGER = logging.getLogger("purewasm_plugins.mcp")

#: Seconds between two looks whether the client is still there: while a call runs, and while a
#: stream waits for changes.
_LOOK = 0.05
_LOOK_AT_STREAM = 0.5

#: Seconds after which an answer begins as a stream, and between two signs of life in a stream.
_BEGIN = 5.0
_SIGN = 15.0

#: Seconds that open streams have for their last message when the server ends.
_GRACE = 1.0


class HttpServer:
    """A server of HTTP, at `url` from its making on.

        with HttpServer(McpServer(registry), port=8000) as http:
            http.serve_forever()

    Attributes:
        url: the address of the endpoint.
    """

    def __init__(
        self,
        server: McpServer,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str | None = None,
        hosts: Iterable[str] = (),
    ) -> None:
        """Begin to listen; `serve_forever` answers.

        Args:
            server: what messages mean.
            host, port: the address; 0 for any free port.
            token: what clients show in the header `Authorization`, after `Bearer`; None for no
                token.
            hosts: names by which clients may call this machine, beside `host` and those of the
                loopback addresses.

        Raises:
            InvalidOptionError: the address is no loopback address, and there is no token.
            OSError: the address cannot be used.
        """
        if token is None and not _is_loopback(host):
            details = f"it is needed, because other machines can reach {host!r}"
            raise InvalidOptionError("token", details)
        if token is not None and (not token.isascii() or not token.isprintable() or not token):
            raise InvalidOptionError("token", "it must be printable ASCII characters, one or more")
        self._listener = _Listener(server, host, port, Access((host, *hosts), token))
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._listener.server_address[1]}{PATH}"

    def serve_forever(self) -> None:
        """Answer requests until `close`."""
        with self._listener.server.logs():
            self._listener.serve_forever(poll_interval=0.1)

    def close(self) -> None:
        """End what runs, and give the port back."""
        self._listener.shut()

    def __enter__(self) -> HttpServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    # Elsewhere than on Windows, this does not let two servers share a port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, server: McpServer, host: str, port: int, access: Access) -> None:
        self.server = server
        self.access = access
        self.sessions = Sessions(server.limits.sessions)
        self.open: set[Peer] = set()
        self._places = threading.BoundedSemaphore(server.limits.connections)
        self._state = threading.Lock()
        self._serving = self._shut = False
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Connection)

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Answer requests, unless `shut` was called before."""
        with self._state:
            if self._shut:
                return
            self._serving = True
        super().serve_forever(poll_interval)

    def shut(self) -> None:
        """End what runs, and stop listening."""
        with self._state:
            self._shut = True
        if self._serving:
            self.shutdown()
        self.server_close()
        for peer in list(self.open):
            peer.close()
        self.sessions.close()
        latest = time.monotonic() + _GRACE
        while self.open and time.monotonic() < latest:
            time.sleep(0.01)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread of its own, if there are not too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection, and make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log an error that ended a connection: the client's for developers, others as faults."""
        ours = not isinstance(sys.exc_info()[1], OSError)
        _LOGGER.log(logging.ERROR if ours else logging.DEBUG, "a connection ended", exc_info=True)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "purewasm"
    sys_version = ""
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(message)s\n"
    # Headers and body are two packets, and the second one must not wait for the first.
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        """Read with limits for each request; see `socketserver.BaseRequestHandler`."""
        super().setup()
        self._reader = TimedReader(self.connection, self.server.server.limits.patience)
        self.rfile.close()
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Read a request and answer it; see `http.server.BaseHTTPRequestHandler`."""
        self._reader.restart()
        super().handle_one_request()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Log a request for developers."""
        _LOGGER.debug(format, *arguments)

    def do_POST(self) -> None:
        """Handle a message."""
        with self._refusals():
            value = self._value()
            if isinstance(value, list):
                self._answer_batch(value, self._session().peer)
            else:
                self._handle(read_message(value))

    def do_GET(self) -> None:
        """Open the stream of changes of a session."""
        with self._refusals():
            session = self._session_of_bare_request()
            if not media_type_accepted(self.headers, _STREAM):
                raise Refusal(406, f"Not acceptable: the stream is {_STREAM}")
            outbox = Outbox(1)
            if not session.open_stream(outbox):
                raise Refusal(409, "Conflict: the session has a stream, or has ended")
            try:
                end = self.server.server.listen(outbox)
            except ProtocolError:
                session.stream = None
                raise
            try:
                self._stream(outbox, None, _LOOK_AT_STREAM)
            finally:
                end()
                session.stream = None

    def do_DELETE(self) -> None:
        """End a session."""
        with self._refusals():
            self.server.sessions.remove(self._session_of_bare_request())
            self._send(204)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Answer with an error where a request is refused."""
        try:
            yield
        except Refusal as refusal:
            error = ProtocolError(INVALID_REQUEST, refusal.message)
            # The body may not have been read: what follows would be taken for the next request.
            self.close_connection = True
            self._send(refusal.status, error_response(error), **refusal.headers)
        except ProtocolError as error:
            busy = error.code == INTERNAL_ERROR
            self._send(503 if busy else 400, error_response(error))
        except OSError:
            self.close_connection = True

    def _check_access(self) -> None:
        if self.headers.defects:
            # Python leaves out what follows a line that is no header.
            raise Refusal(400, "Bad request: a line is no header")
        self.server.access.check(self.headers)
        if self.path.partition("?")[0] != PATH:
            raise Refusal(404, f"Not found: the endpoint is {PATH}")

    def _value(self) -> Any:
        """Return the JSON of the body.

        Raises:
            Refusal, ProtocolError
        """
        self._check_access()
        if self.headers.get_content_type() != _JSON or "Content-Type" not in self.headers:
            raise Refusal(415, f"Unsupported media type: a message is {_JSON}")
        if not media_type_accepted(self.headers, _JSON, _STREAM):
            raise Refusal(406, f"Not acceptable: accept both {_JSON} and {_STREAM}")
        length = content_length(self.headers, self.server.server.limits.message_bytes)
        self._reader.allow(length)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError
        return read_value(body)

    def _session_of_bare_request(self) -> Session:
        """Return the session of a request without a message."""
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            # It is not read: it would be taken for the next request.
            self.close_connection = True
        self._check_access()
        if _SESSION not in self.headers:
            raise Refusal(405, "Method not allowed: only sessions have it", Allow="POST")
        return self._session()

    def _session(self) -> Session:
        """Return the session that the request belongs to.

        Raises:
            Refusal: it names none, or one that has ended.
        """
        id = self.headers.get(_SESSION)
        if id is None:
            raise Refusal(400, f"Bad request: without {_SESSION}, begin with 'initialize'")
        session = self.server.sessions.get(id)
        if session is None:
            raise Refusal(404, "Not found: the session has ended")
        return session

    def _handle(self, message: Message) -> None:
        params = {} if isinstance(message, Response) else message.params
        version = self.headers.get("MCP-Protocol-Version")
        if is_modern(params) or version not in (None, *LEGACY_VERSIONS):
            if isinstance(message, Request):
                self._answer_modern(message)
            else:
                # On this transport, a client cancels a request by closing its stream.
                self._send(202)
        elif isinstance(message, Request) and message.method == "initialize":
            self._initialize(message)
        else:
            peer = self._session().peer
            outbox = Outbox(int(isinstance(message, Request)))
            self.server.server.answer(message, peer, outbox)
            if outbox.left:
                self._reply(outbox, modern=False)
            else:
                self._send(202)

    def _initialize(self, request: Request) -> None:
        peer, outbox = Peer(), Outbox(1)
        self.server.server.answer(request, peer, outbox)
        answer = outbox.get(0.0)
        session = None if peer.version is None else self.server.sessions.add(peer)
        if session is not None:
            self._send(200, answer, **{_SESSION: session.id})
        elif peer.version is None:
            self._send(200, answer)
        else:
            busy = "The server is busy: all of its sessions do something"
            raise ProtocolError(INTERNAL_ERROR, busy, id=request.id)

    def _answer_modern(self, request: Request) -> None:
        """Answer a request that stands alone: what it begins ends with its connection."""
        params = request.params
        try:
            # Headers come first: a client that contradicts itself is told that.
            if is_modern(params) and isinstance(params["_meta"][PROTOCOL_VERSION], str):
                check_headers(self.headers, request)
            modern_wishes(params)
        except ProtocolError as error:
            error.id = request.id
            raise
        peer, outbox = Peer(), Outbox(1)
        self.server.open.add(peer)
        try:
            self.server.server.answer(request, peer, outbox)
            self._reply(outbox, modern=True)
        finally:
            peer.cancel_all()
            self.server.open.discard(peer)

    def _answer_batch(self, values: list[Any], peer: Peer) -> None:
        # A larger batch is refused as a whole.
        outbox = Outbox(sum(map(_wants_response, values[: self.server.server.limits.batch])))
        self.server.server.receive_batch(values, peer, outbox)
        if outbox.left:
            self._stream(outbox, None, _LOOK)
        else:
            self._send(202)

    def _reply(self, outbox: Outbox, *, modern: bool) -> None:
        """Answer with JSON, or with a stream if anything comes before the response, or nothing."""
        first = self._next(outbox, _BEGIN, _LOOK)
        if first is not None and "method" not in first:
            self._send(_status(first) if modern else 200, first)
        else:
            listens = first is not None and first["method"] == ACKNOWLEDGED
            self._stream(outbox, first, _LOOK_AT_STREAM if listens else _LOOK)

    def _stream(self, outbox: Outbox, message: JsonObject | None, look: float) -> None:
        """Answer with a stream, which ends the connection."""
        self.close_connection = True
        self.send_response(200)
        for header, value in _STREAM_HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        while True:
            if message is not None:
                self.wfile.write(b"event: message\ndata: " + encode(message) + b"\n\n")
            if not outbox.left:
                return
            message = self._next(outbox, _SIGN, look)
            if message is None and outbox.left:
                self.wfile.write(b":\n\n")

    def _next(self, outbox: Outbox, seconds: float, look: float) -> JsonObject | None:
        """Return the next message of an answer, or None after so many seconds, or after the last.

        Raises:
            ConnectionAbortedError: the client has closed the connection.
        """
        latest = time.monotonic() + seconds
        while outbox.left and time.monotonic() < latest:
            message = outbox.get(look)
            if message is not None:
                return message
            if is_gone(self.connection):
                raise ConnectionAbortedError
        return None

    def _send(self, status: int, message: JsonObject | None = None, **headers: str) -> None:
        """Answer with JSON, or with no content."""
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        body = b"" if message is None else encode(message)
        if body:
            self.send_header("Content-Type", _JSON)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def _wants_response(value: Any) -> bool:
    """Return whether a message of a batch gets a response: a request, or what is no message."""
    try:
        return isinstance(read_message(value), Request)
    except ProtocolError:
        return True


def _status(response: JsonObject) -> int:
    """Return the status of HTTP for a response to a modern request."""
    code = response.get("error", {}).get("code")
    if code in (None, INTERNAL_ERROR):
        return 200
    return 404 if code == METHOD_NOT_FOUND else 400
