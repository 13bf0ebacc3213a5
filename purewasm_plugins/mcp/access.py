"""The checks of HTTP requests: who may ask, and whether headers and body agree."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from email.message import Message
from urllib.parse import urlsplit

from purewasm_plugins.errors import PureWasmError
from purewasm_plugins.mcp.messages import ProtocolError, Request
from purewasm_plugins.mcp.versions import HEADER_MISMATCH, PROTOCOL_VERSION

__all__ = ["Access", "Refusal", "check_headers", "content_length", "media_type_accepted"]

#: The names by which a machine reaches itself.
_LOCAL = ("localhost", "127.0.0.1", "::1")

#: The methods whose object is repeated in a header, and the parameter that names it.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

_ENCODED = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)


class Refusal(PureWasmError):
    """The reason why an HTTP request is refused before its message is looked at.

    Attributes:
        status: the status of the response.
        message: the reason, in words.
        headers: headers of the response.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def _words(self) -> str:
        return self.message


class Access:
    """The rule of who may ask: names of this machine, so that no page of another site gets in."""

    def __init__(self, hosts: Iterable[str], token: str | None) -> None:
        """Make the rule.

        Args:
            hosts: names of this machine, beside those of the loopback addresses.
            token: what a client has to show, or None.
        """
        self._hosts = {*_LOCAL, *(host.strip("[]").lower() for host in hosts)}
        self._token = token

    def check(self, headers: Message) -> None:
        """Check a request.

        Raises:
            Refusal: it is for another host, from a page of another site, or without the token.
        """
        hosts = headers.get_all("Host", [])
        if len(hosts) != 1 or self._host(f"//{hosts[0]}") not in self._hosts:
            raise Refusal(403, "Forbidden: the header Host names another machine")
        for origin in headers.get_all("Origin", []):
            if not origin.startswith(("http://", "https://")) or (
                self._host(origin) not in self._hosts
            ):
                raise Refusal(403, "Forbidden: the request comes from a page of another site")
        if self._token is not None and not self._shows_token(headers):
            advice = "Unauthorized: the header Authorization must be 'Bearer' and the token"
            raise Refusal(401, advice, WWW_Authenticate="Bearer")

    def _shows_token(self, headers: Message) -> bool:
        scheme, _, shown = str(headers.get("Authorization", "")).partition(" ")
        expected = (self._token or "").encode()
        right = hmac.compare_digest(shown.strip().encode("utf-8", "replace"), expected)
        return right and scheme.lower() == "bearer"

    def _host(self, address: str) -> str | None:
        try:
            parts = urlsplit(address)
            # A port that is none raises ValueError.
            return None if parts.port == 0 else parts.hostname
        except ValueError:
            return None


def media_type_accepted(headers: Message, *types: str) -> bool:
    """Return whether a client accepts all of these media types. Without a header, it does."""
    ranges = ",".join(headers.get_all("Accept", ["*/*"])).lower().split(",")
    accepted = {one.partition(";")[0].strip() for one in ranges}
    return all({type, f"{type.partition('/')[0]}/*", "*/*"} & accepted for type in types)


def content_length(headers: Message, most: int) -> int:
    """Return the bytes of the body of a request.

    Raises:
        Refusal: they are not told, told twice, or more than `most`.
    """
    lengths = headers.get_all("Content-Length", [])
    if "Transfer-Encoding" in headers or len(lengths) != 1:
        raise Refusal(411, "Length required: one header Content-Length, and no other encoding")
    text = str(lengths[0]).strip()
    if re.fullmatch("[0-9]{1,15}", text) is None:
        raise Refusal(400, "Bad request: the header Content-Length is no number")
    if int(text) > most:
        raise Refusal(413, f"Content too large: a message has at most {most} bytes")
    return int(text)


def check_headers(headers: Message, request: Request) -> None:
    """Check that the headers of a modern request repeat what its body says.

    Raises:
        ProtocolError: one is missing, is there twice, or says something else.
    """
    expected = {
        "MCP-Protocol-Version": request.params["_meta"][PROTOCOL_VERSION],
        "Mcp-Method": request.method,
    }
    name = request.params.get(_NAMED.get(request.method, ""))
    if isinstance(name, str):
        expected["Mcp-Name"] = name
    for header, wanted in expected.items():
        found = headers.get_all(header, [])
        if len(found) != 1:
            number = "missing" if not found else "there more than once"
            raise _mismatch(f"the header {header} is {number}")
        value = str(found[0]).strip()
        if header == "Mcp-Name":
            value = _decoded(value)
        if value != wanted:
            raise _mismatch(f"the header {header} differs from the body")


def _decoded(value: str) -> str:
    match = _ENCODED.fullmatch(value)
    if match is None:
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise _mismatch("the header Mcp-Name is no Base64 of UTF-8") from None


def _mismatch(details: str) -> ProtocolError:
    return ProtocolError(HEADER_MISMATCH, f"Header mismatch: {details}")
