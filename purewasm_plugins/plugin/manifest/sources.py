"""The files of a manifest's plugins: on this machine, or fetched from an address."""

from __future__ import annotations

import os
import tempfile
import time

from purewasm_plugins.errors import PluginFileError
from purewasm_plugins.plugin.discovery import find_entry_point
from purewasm_plugins.plugin.errors import PluginHashError
from purewasm_plugins.plugin.files import digest
from purewasm_plugins.support.typed import Any
from purewasm_plugins.support.user_folders import cache_folder
from purewasm_plugins.support.version import VERSION

__all__ = ["SOURCES", "source_path"]

#: The keys of a source.
SOURCES = ("path", "entry_point", "url")

#: Bytes of a plugin that is fetched, seconds without an answer, and seconds in all.
MOST_BYTES = 64 * 1024 * 1024
PATIENCE = 30.0
LONGEST = 300.0

_CHUNK = 1 << 16


def source_path(kind: str, source: str, sha256: str | None, folder: str) -> str:
    """Return the file of a source.

    Args:
        kind: one of `SOURCES`.
        source: the path, the name of an entry point, or the address.
        sha256: the hash of what is at an address.
        folder: where relative paths begin.

    Raises:
        LookupError: there is none; the argument says why.
        PluginFileError, PluginHashError: what is at an address cannot be fetched, or is another
            file.
    """
    if kind == "path":
        return os.path.join(folder, source)
    if kind == "entry_point":
        found = find_entry_point(source)
        if found.path is None:
            raise LookupError(str(found.error))
        return str(found.path)
    return _fetched(source, sha256 or "")


def _fetched(url: str, sha256: str) -> str:
    """Return the file of an address, from the user's cache if it is there."""
    cache = cache_folder()
    if cache is None:
        raise LookupError("there is no folder to keep it in: the user has no home directory")
    folder = os.path.join(cache, "fetched")
    path = os.path.join(folder, f"{sha256}.wasm")
    # The hash is checked again where the file is read.
    if os.path.isfile(path):
        return path
    data = fetch(url)
    found = digest(data)
    if found != sha256:
        raise PluginHashError(url, sha256, found)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as apart:
            new = os.path.join(apart, "new")
            with open(new, "wb") as file:
                file.write(data)
            os.replace(new, path)
    except OSError as error:
        raise PluginFileError(path, error.strerror or str(error)) from error
    return path


def fetch(url: str) -> bytes:
    """Return what is at an address of HTTPS; redirections must stay there.

    Raises:
        PluginFileError: it cannot be fetched.
    """
    # Imported here: they are slow, and most manifests have no address.
    from http.client import HTTPException
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Redirections(HTTPRedirectHandler):
        """Redirections within HTTPS."""

        def redirect_request(
            self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str
        ) -> Any:
            if not newurl.startswith("https://"):
                raise ValueError(f"it redirects to {newurl}, which is no address of HTTPS")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    request = Request(url, headers={"User-Agent": f"purewasm-plugins/{VERSION}"})
    end = time.monotonic() + LONGEST
    data = bytearray()
    try:
        with build_opener(Redirections).open(request, timeout=PATIENCE) as answer:
            # What has come, so that the time is checked however slowly it comes.
            while chunk := answer.read1(_CHUNK):
                data += chunk
                if len(data) > MOST_BYTES:
                    raise ValueError(f"it has more than {MOST_BYTES} bytes")
                if time.monotonic() > end:
                    raise ValueError(f"it took more than {LONGEST:g} seconds")
    except (OSError, HTTPException, ValueError) as error:
        raise PluginFileError(url, str(error)) from error
    return bytes(data)
