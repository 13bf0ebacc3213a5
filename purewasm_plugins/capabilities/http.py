"""HTTP requests of a plugin: `Http` says which, and `HttpClient` makes them.

The connection is made here, to an address that was checked, and not by `urllib.request`, which
resolves a name itself, follows each redirect and heeds the proxies of the environment.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from urllib.parse import urljoin

from purewasm_plugins.capabilities.answers import CallTime, Refused
from purewasm_plugins.capabilities.connections import Connection
from purewasm_plugins.capabilities.hosts import (
    Url,
    addresses,
    check_networks,
    parse_host,
    parse_url,
)
from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.runtime.imports import Caller
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.version import VERSION

__all__ = ["METHODS", "Http", "HttpClient"]

#: All methods of requests that can be granted.
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[!-~](?:[!-~ \t]*[!-~])?|")

#: Headers that are the host's to send, beside all that begin with `proxy-`.
_OURS = {
    *("host", "connection", "content-length", "transfer-encoding", "te", "trailer"),
    *("upgrade", "expect", "keep-alive"),
}
#: Headers that go to no other server than the one that the plugin has asked.
_SECRET = {"authorization", "cookie"}

#: Headers of one request, and bytes of all headers of a response.
_MOST_HEADERS = 64
_HEADER_BYTES = 64 * 1024

#: Bytes that are read at once.
_PIECE = 64 * 1024

_REDIRECTS = (301, 302, 303, 307, 308)


class Http(Record):
    """The grant of HTTP requests to some hosts.

        http = Http(hosts=("api.example.com", "*.example.org", "localhost:8080"))
        plugin = WasmPlugin.load("weather.wasm", http=http)

    Attributes:
        hosts: the hosts: a name, `*.NAME` for all names below one, or an address, and `:PORT` for
            one port of it in place of 443 for https and 80 for http.
        methods: the methods.
        addresses: networks that may be connected to though they are not public, such as
            `10.0.0.0/8`. An address in `hosts` names itself, and `localhost` names the loopback.
        request_bytes: bytes of the URL, the headers and the body of a request together.
        response_bytes: bytes of the body of a response.
        timeout: seconds that a request may take, beside the time of the plugin's call.
        redirects: how many redirects are followed, to hosts of the list alone.

    Hazards:
        What a plugin knows, it can send to each of the hosts. A host in the list is trusted with
        that, and so is who runs the names below `*.NAME`.

    Raises:
        InvalidOptionError: a field has a wrong type or value.
    """

    hosts: Sequence[str]
    methods: Sequence[str] = ("GET", "HEAD", "POST")
    addresses: Sequence[str] = ()
    request_bytes: int = 1024 * 1024
    response_bytes: int = 1024 * 1024
    timeout: float = 10.0
    redirects: int = 5

    def __post_init__(self) -> None:
        for name in ("hosts", "methods", "addresses"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise InvalidOptionError(name, "it must be a sequence of strings")
        for host in self.hosts:
            parse_host(host)
        for method in self.methods:
            if method not in METHODS:
                raise InvalidOptionError("methods", f"{method!r} is none of {', '.join(METHODS)}")
        check_networks(tuple(self.addresses))
        for name in ("request_bytes", "response_bytes", "timeout", "redirects"):
            given = getattr(self, name)
            kinds = (int, float) if name == "timeout" else int
            fits = isinstance(given, kinds) and not isinstance(given, bool)
            if not fits or not 0 <= given <= sys.maxsize:
                raise InvalidOptionError(name, f"it must be a number from 0 on: {given!r}")


class HttpClient:
    """The requests of a plugin."""

    def __init__(self, grant: Http) -> None:
        """Take a grant."""
        self._grant = grant
        self._hosts = [parse_host(host) for host in grant.hosts]
        self._networks = check_networks(tuple(grant.addresses))

    def request(self, caller: Caller, method: str, url: str, headers: str, body: str) -> str:
        """Make a request, and follow redirects.

        Args:
            caller: the instance that asks.
            method, url: of the request.
            headers: a line `NAME: VALUE` for each.
            body: the body; an empty one is none.

        Returns:
            A line with the status, and `text` or `base64` for what the body is; a line for each
            header; an empty line; the body.

        Raises:
            Refused: it is not granted, or something on the way failed.
            DeadlineExceeded, Cancelled: the time of the call is over.
        """
        if sys.platform == "emscripten":
            raise Refused("there is no HTTP in Pyodide")
        size = sum(len(text.encode()) for text in (url, headers, body))
        if size > self._grant.request_bytes:
            raise Refused(f"the request has more than {self._grant.request_bytes} bytes")
        time = CallTime(caller, self._grant.timeout)
        sent, target, data = _headers(headers), parse_url(url), body.encode()
        for _ in range(self._grant.redirects + 1):
            answer, location = self._exchange(time, method, target, sent, data)
            if location is None:
                return answer
            following = _redirected(target, location)
            if following.origin != target.origin:
                sent = [pair for pair in sent if pair[0].lower() not in _SECRET]
            if answer.startswith("303") or (method == "POST" and answer[:3] in ("301", "302")):
                method, data = "HEAD" if method == "HEAD" else "GET", b""
            target = following
        raise Refused(f"it redirects more than {self._grant.redirects} times")

    def _exchange(
        self, time: CallTime, method: str, url: Url, headers: list[tuple[str, str]], body: bytes
    ) -> tuple[str, str | None]:
        """Send a request and read the response; return it, and where it redirects to."""
        if method not in self._grant.methods:
            raise Refused(f"the method is none of {', '.join(self._grant.methods)}")
        named = [host for host in self._hosts if host.allows(url)]
        if not named:
            raise Refused(f"the host '{url.authority}' was not granted")
        networks = self._networks + tuple(one for host in named for one in host.networks)
        places = addresses(url, networks, time)
        limit = self._grant.response_bytes
        try:
            with Connection(places, url, time, limit + _HEADER_BYTES) as connection:
                connection.send(_request(method, url, headers, body))
                response = HTTPResponse(connection, method=method)  # type: ignore[arg-type]
                response.begin()
                found = bytearray()
                # In pieces: a read of so many bytes would allocate them at once.
                while piece := response.read(min(_PIECE, limit + 1 - len(found))):
                    found += piece
                if len(found) > limit:
                    raise Refused(f"the response has more than {limit} bytes")
                if response.length:
                    raise Refused("the response ends too early")
        except HTTPException:
            raise Refused("the response is none of HTTP") from None
        except (OSError, ValueError) as error:
            raise Refused(f"the connection failed: {type(error).__name__}") from None
        location = response.getheader("Location") if response.status in _REDIRECTS else None
        return _text(response, found), location


def _headers(text: str) -> list[tuple[str, str]]:
    """Return the headers that a plugin sends.

    Raises:
        Refused: a line is none, or is of a header that the host sends.
    """
    lines = [line for line in text.split("\n") if line]
    if len(lines) > _MOST_HEADERS:
        raise Refused(f"there are more than {_MOST_HEADERS} headers")
    found = []
    for line in lines:
        name, divided, value = line.partition(":")
        value = value.strip(" \t")
        if not (divided and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise Refused("a line of the headers is not NAME: VALUE in plain characters")
        if name.lower() in _OURS or name.lower().startswith("proxy-"):
            raise Refused(f"the header '{name}' is sent by the host")
        found.append((name, value))
    return found


def _request(method: str, url: Url, headers: list[tuple[str, str]], body: bytes) -> bytes:
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {url.target} HTTP/1.1", f"Host: {url.authority}", "Connection: close"]
    # A body is passed on as it comes, so that its size is bounded: none is unpacked.
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    if "user-agent" not in names:
        lines.append(f"User-Agent: purewasm-plugins/{VERSION}")
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _redirected(url: Url, location: str) -> Url:
    """Return where a redirect leads to.

    Raises:
        Refused: that is no URL, or one without encryption after one with it.
    """
    try:
        target = parse_url(urljoin(f"{url.scheme}://{url.authority}{url.target}", location))
    except ValueError:
        raise Refused("it redirects to what is no URL") from None
    if url.scheme == "https" and target.scheme != "https":
        raise Refused("it redirects from https to http")
    return target


def _text(response: HTTPResponse, body: bytes | bytearray) -> str:
    """Return a response as a plugin gets it."""
    encoding = "text"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        encoding = "base64"
    if encoding == "base64" or "\0" in text:
        encoding, text = "base64", base64.b64encode(body).decode()
    lines = [f"{response.status} {encoding}"]
    for name, value in response.getheaders():
        lines.append(re.sub(r"[\x00-\x1f\x7f]+", " ", f"{name.lower()}: {value}").strip())
    return "\n".join([*lines, "", text])
