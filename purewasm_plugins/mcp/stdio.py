"""The transport over standard input and output: one message a line."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

from purewasm_plugins.mcp.calls import Peer
from purewasm_plugins.mcp.messages import (
    JsonObject,
    ProtocolError,
    RequestId,
    encode,
    error_response,
)
from purewasm_plugins.mcp.server import McpServer
from purewasm_plugins.mcp.versions import INVALID_REQUEST

__all__ = ["serve_stdio"]

#: Seconds that calls have to end after the end of the input, before they are cancelled.
_GRACE = 10.0

#: Bytes that are skipped at once of a line that is too long.
_PIECE = 65536


def serve_stdio(
    server: McpServer, source: BinaryIO | None = None, target: BinaryIO | None = None
) -> None:
    """Serve one client until its input ends.

    Calls that run then have ten seconds to end. Nothing else may be written to `target`: standard
    output is turned to standard error while the server uses it.

    Args:
        server: the server.
        source, target: what the client writes and reads; None for standard input and output.
    """
    output = sys.stdout
    source = sys.stdin.buffer if source is None else source
    if target is None:
        target = output.buffer
        sys.stdout = sys.stderr
    try:
        with server.logs():
            _Connection(server, target).serve(source)
    finally:
        sys.stdout = output


class _Connection:
    def __init__(self, server: McpServer, target: BinaryIO) -> None:
        self._server = server
        self._target = target
        self._lock = threading.Lock()
        self._gone = False
        self._peer = Peer()
        #: Whether the client began with `initialize`, and what ends its stream of changes then.
        self._began = False
        self._end: Callable[[], None] = _nothing

    def serve(self, source: BinaryIO) -> None:
        """Handle each line, and then end what runs."""
        try:
            for line in _lines(source, self._server.limits.message_bytes):
                if self._gone:
                    break
                self._handle(line)
                if not self._began and self._peer.version is not None:
                    self._began = True
                    self._listen()
            if not self._gone:
                self._wait()
        finally:
            self._end()
            self._peer.close()

    def send(self, message: JsonObject) -> None:
        """Write a message; where the client has closed its end, nothing is written any more."""
        data = encode(message) + b"\n"
        with self._lock:
            if not self._gone:
                try:
                    self._target.write(data)
                    self._target.flush()
                except (OSError, ValueError):
                    self._gone = True

    def drop(self, id: RequestId) -> None:
        """Do nothing: the client knows what it cancelled."""

    def _handle(self, line: bytes | None) -> None:
        if line is None:
            details = f"a line has at most {self._server.limits.message_bytes} bytes"
            error = ProtocolError(INVALID_REQUEST, f"Invalid request: {details}")
            self.send(error_response(error))
        elif line.strip():
            self._server.receive(line, self._peer, self)

    def _listen(self) -> None:
        """Tell the client of changes, which clients that begin with `initialize` do not ask for."""
        try:
            self._end = self._server.listen(self)
        except ProtocolError:
            # The client itself has opened as many streams as there may be.
            self._end = _nothing

    def _wait(self) -> None:
        """Let the calls that run come to their end, if that is soon."""
        latest = time.monotonic() + _GRACE
        for call in list(self._peer.calls):
            call.wait(latest - time.monotonic())


def _nothing() -> None:
    """Do nothing."""


def _lines(source: BinaryIO, most: int) -> Iterator[bytes | None]:
    """Yield each line; None for one that has more than `most` bytes."""
    while line := source.readline(most + 1):
        if len(line) <= most or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(_PIECE)
        yield None
