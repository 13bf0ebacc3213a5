"""A server that says what a test has it say, good HTTP or not."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from threading import Thread

#: Given a connection after the head of its request: says something, or nothing.
Script = Callable[[socket.socket], None]


class Server:
    """A server on the loopback.

    Attributes:
        port: where it listens.
        requests: what it was sent, up to the end of the headers and what came with that.
        script: what it says.
    """

    def __init__(self, listener: socket.socket) -> None:
        self.port = int(listener.getsockname()[1])
        self.requests: list[str] = []
        self.script: Script = saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        self._listener = listener

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            # The first byte of TLS is no letter.
            while b"\r\n\r\n" not in head and not head.startswith(b"\x16"):
                part = connection.recv(65536)
                if not part:
                    break
                head += part
            self.requests.append(head.decode("latin-1"))
            self.script(connection)


def saying(*parts: str | bytes) -> Script:
    """A script that sends its parts."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part.encode("latin-1") if isinstance(part, str) else part)

    return script


def redirecting(location: str, status: int = 302) -> Script:
    return saying(f"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")


@contextlib.contextmanager
def serving(address: str = "127.0.0.1", family: int = socket.AF_INET) -> Iterator[Server]:
    """A server, until the end of the block."""
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.bind((address, 0))
        listener.listen()
        server = Server(listener)
        thread = Thread(target=server.run, daemon=True)
        thread.start()
        yield server
        # `close` alone does not wake `accept`.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as last:
            last.connect(listener.getsockname())
