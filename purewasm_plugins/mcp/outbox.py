"""What stands between a connection of HTTP and the threads that answer it."""

from __future__ import annotations

import io
import queue
import socket
import time
from http.client import HTTPException
from typing import Any

from purewasm_plugins.mcp.messages import JsonObject, RequestId

__all__ = ["Outbox", "TimedReader", "is_gone"]

#: Notifications that wait for a client that reads slowly; those that follow are left out.
_MOST_WAITING = 1000


#: Bytes of the head of a request, which anyone may send: its first line has 64 KiB at most.
_HEAD_BYTES = 128 * 1024


class Outbox:
    """The messages for one answer of HTTP, in their order.

    Attributes:
        left: responses that are still to come.
    """

    def __init__(self, left: int) -> None:
        self.left = left
        self._queue: queue.SimpleQueue[JsonObject | None] = queue.SimpleQueue()

    def send(self, message: JsonObject) -> None:
        """Put a message at the end."""
        if "method" not in message or self._queue.qsize() < _MOST_WAITING:
            self._queue.put(message)

    def drop(self, id: RequestId) -> None:
        """Put there that a response will not come."""
        self._queue.put(None)

    def get(self, seconds: float) -> JsonObject | None:
        """Take the next message; None where there is none within so many seconds, or none is left.

        A response that does not come, like one that does, makes `left` less.
        """
        try:
            message = self._queue.get(timeout=seconds)
        except queue.Empty:
            return None
        if message is None or "method" not in message:
            self.left -= 1
        return message


class TimedReader(io.RawIOBase):
    """What a socket brings, within a time and a number of bytes for all of a request."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        """Begin to read; `restart` begins the time.

        Args:
            connection: the socket.
            patience: seconds for all that is read after each `restart`.
        """
        super().__init__()
        self._connection = connection
        self._patience = patience
        self._latest = 0.0
        self._most = 0

    def restart(self) -> None:
        """Begin anew, for the head of the next request."""
        self._latest = time.monotonic() + self._patience
        self._most = _HEAD_BYTES

    def allow(self, count: int) -> None:
        """Let the request have so many bytes more: those of its body."""
        self._most += count

    def readable(self) -> bool:
        """Return True; see `io.IOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes; see `io.RawIOBase`.

        Raises:
            TimeoutError: the time is over.
            HTTPException: there are too many bytes; `http.server` answers that there are too many
                headers.
        """
        if self._most <= 0:
            raise HTTPException("too many bytes")
        left = self._latest - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            count = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._patience)
        self._most -= count
        return count


def is_gone(connection: socket.socket) -> bool:
    """Return whether the other side has closed a socket."""
    patience = connection.gettimeout()
    connection.setblocking(False)
    try:
        return not connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(patience)
