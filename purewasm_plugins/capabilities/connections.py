"""A connection that heeds the time of a call, and counts what it reads."""

from __future__ import annotations

import io
import selectors
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from purewasm_plugins.capabilities.answers import PIECE, CallTime, Refused
from purewasm_plugins.capabilities.hosts import Address, Url

__all__ = ["Connection"]

_Result = TypeVar("_Result")


class Connection:
    """A connection to one of some addresses, with TLS for https.

    It is as much of a socket as `http.client.HTTPResponse` needs.
    """

    def __init__(self, places: Sequence[Address], url: Url, time: CallTime, most: int) -> None:
        """Connect.

        Args:
            places: the addresses, which are tried in order.
            url: what is asked for.
            time: of the request.
            most: bytes that may be read.

        Raises:
            OSError: there is no connection.
            Refused: the time is over.
        """
        self._time = time
        self._left = most
        self._socket = _connected(places, time)
        if url.scheme == "https":
            try:
                self._secure(url.host)
            except BaseException:
                self._socket.close()
                raise

    def _secure(self, host: str) -> None:
        # Imported here: Pyodide has no `ssl`, and loads a plugin with this grant all the same.
        import ssl

        context = ssl.create_default_context()
        secure = context.wrap_socket(
            self._socket, server_hostname=host, do_handshake_on_connect=False
        )
        self._socket = secure
        self._repeat(secure.do_handshake)

    def _repeat(self, act: Callable[[], _Result]) -> _Result:
        """Do something with the socket, again and again until it does not time out."""
        while True:
            self._time.check()
            try:
                return act()
            except TimeoutError:
                continue

    def send(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            OSError, Refused: as for the constructor.
        """
        view = memoryview(data)
        while view:
            view = view[self._repeat(lambda: self._socket.send(view)) :]  # noqa: B023

    def receive(self, buffer: Any) -> int:
        """Read bytes into a buffer, and return how many; 0 at the end.

        Raises:
            OSError, Refused: as for the constructor; or more was read than may be.
        """
        count = self._repeat(lambda: self._socket.recv_into(buffer))
        self._left -= count
        if self._left < 0:
            raise Refused("the response is too long")
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file to read from."""
        return io.BufferedReader(_Reader(self))

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()


class _Reader(io.RawIOBase):
    """The bytes that a connection receives, as a file."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        return self._connection.receive(buffer)


def _connected(places: Sequence[Address], time: CallTime) -> socket.socket:
    """Return a socket that is connected to the first address that takes it.

    Raises:
        OSError: none does; the error of the last.
        Refused: the time is over.
    """
    failure: OSError = ConnectionError()
    for place in places:
        try:
            found = socket.socket(place.family, socket.SOCK_STREAM)
        except OSError as error:
            # This machine may have no IPv6.
            failure = error
            continue
        try:
            found.setblocking(False)
            found.connect_ex(place.place)
            with selectors.DefaultSelector() as selector:
                selector.register(found, selectors.EVENT_WRITE)
                while not selector.select(PIECE):
                    time.check()
            # Raises OSError where the connection was refused.
            found.getpeername()
            found.settimeout(PIECE)
            return found
        except OSError as error:
            found.close()
            failure = error
        except BaseException:
            found.close()
            raise
    raise failure
