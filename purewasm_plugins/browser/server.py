"""A small server for the playground: it serves the files of a `Site` to this machine."""

from __future__ import annotations

import math
import mimetypes
import socket
import sys
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTP_PORT
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from purewasm_plugins.browser.site import Site

#: Types that `mimetypes` may get wrong, because it reads the machine's configuration.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".zip": "application/zip",
}

#: The seconds that a connection may take for a request, or for receiving an answer.
PATIENCE = 20.0

#: The most connections at once; a browser opens six to a server.
MAX_CONNECTIONS = 64


class PlaygroundServer(ThreadingHTTPServer):
    """A server of a site: `with` closes it, `serve_forever()` runs it.

    It answers only requests whose `Host` is its own name. This protects the site from pages whose
    name was changed to this machine's address (DNS rebinding).
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen at a port.

        Args:
            site: the files to serve.
            port: the port; 0 for a free one.
            host: the address to listen at.

        Raises:
            OSError: the port is in use, or not permitted.
        """
        self.site = site
        #: The time at which each connection began to wait for a request; infinity while a request
        #: is answered.
        self._waiting: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        names = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host.lower()}
        #: The permitted values of `Host`. Browsers omit the port 80.
        self.hosts = {f"{name}:{self.server_port}" for name in names}
        if self.server_port == HTTP_PORT:
            self.hosts |= names

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report an error, unless the browser closed its connection during an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Accept a connection unless there are `MAX_CONNECTIONS` already."""
        with self._lock:
            if len(self._waiting) >= MAX_CONNECTIONS:
                return False
            self._waiting[request] = time.monotonic()
            return True

    def note(self, connection: socket.socket, *, waits: bool) -> None:
        """Record that a connection waits for a request from now on, or that its request came."""
        with self._lock:
            if connection in self._waiting:
                self._waiting[connection] = time.monotonic() if waits else math.inf

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._waiting.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Close connections that have waited too long; `serve_forever` calls this regularly."""
        limit = time.monotonic() - PATIENCE
        with self._lock:
            late = [connection for connection, since in self._waiting.items() if since < limit]
        for connection in late:
            # The connection's thread then wakes up and ends.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PlaygroundServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE

    def parse_request(self) -> bool:
        """Read a request; refuse a request for another server."""
        if not super().parse_request():
            return False
        hosts = [host.lower() for host in self.headers.get_all("Host", ())]
        if len(hosts) != 1 or hosts[0] not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "This server has another name")
            return False
        return True

    def handle_one_request(self) -> None:
        """Wait for a request and answer it."""
        self.server.note(self.connection, waits=True)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send the headers of a file."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        self.server.note(self.connection, waits=False)
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        name = path or "index.html"
        read = self.server.site.files.get(name)
        if read is None:
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such file")
            return
        try:
            data = read()
        except OSError as error:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, error.strerror)
            return
        suffix = "." + name.rpartition(".")[2]
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        # Pyodide changes only with its version; the other files change during development.
        lasting = name.startswith("pyodide/")
        self.send_header("Cache-Control", "max-age=86400" if lasting else "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def end_headers(self) -> None:
        """Add the site's content security policy to every answer."""
        policy = f"{self.server.site.policy}; frame-ancestors 'none'"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a visit requests dozens of files."""
