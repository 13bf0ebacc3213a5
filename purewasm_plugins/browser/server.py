"""A small server for the playground: the files of a `Site`, to this machine only."""

from __future__ import annotations

import mimetypes
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from purewasm_plugins.browser.site import Site

#: What `mimetypes` may have wrong: it asks the machine it runs on.
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


class PlaygroundServer(ThreadingHTTPServer):
    """Serves a site; `with` closes it, `serve_forever()` runs it."""

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0, host: str = "127.0.0.1") -> None:
        """Take the port.

        Args:
            site: what to serve.
            port: 0 for one that is free.
            host: the address to listen at.

        Raises:
            OSError: the port is taken, or forbidden.
        """
        self.site = site
        super().__init__((host, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone away in the middle of a file."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"


class _Handler(BaseHTTPRequestHandler):
    server: PlaygroundServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Send what there is to know of a file."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
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
        # Python itself changes only with its version; the rest may be under somebody's hands.
        lasting = name.startswith("pyodide/")
        self.send_header("Cache-Control", "max-age=86400" if lasting else "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: a page is dozens of files."""
