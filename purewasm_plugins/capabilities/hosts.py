"""Which hosts and which addresses a plugin may reach.

A name says nothing of where it leads: it is resolved once, each address is checked, and the
connection is made to an address that was checked.
"""

from __future__ import annotations

import re
import socket
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from threading import BoundedSemaphore, Thread
from typing import Any, NamedTuple

from purewasm_plugins.capabilities.answers import PIECE, CallTime, Refused
from purewasm_plugins.errors import InvalidOptionError

__all__ = ["Address", "Host", "Url", "check_networks", "is_public", "parse_host", "parse_url"]

Network = IPv4Network | IPv6Network

_URL = re.compile(
    r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?([/?][!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_HOST = re.compile(r"(\*\.)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::([0-9]{1,5}))?", re.ASCII)
#: The last part of what a resolver may take for an address, whatever its spelling.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_PORTS = {"http": 80, "https": 443}

#: The addresses that `localhost` names.
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

#: The global unicast addresses of IPv6, without those that stand for one of IPv4; and the prefix
#: of addresses that a translator makes of those of IPv4.
_UNICAST = IPv6Network("2000::/3")
_TUNNELS = (IPv6Network("2001::/23"), IPv6Network("2002::/16"))
_TRANSLATED = IPv6Network("64:ff9b::/96")

#: Addresses for special purposes that not every version of Python knows as such.
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))

_LAST_PORT = 65535

#: Bytes of a URL.
_LONGEST = 8192

#: Addresses of a name that are tried.
_TRIED = 4

#: Names that are looked up at the same time, by all plugins: a lookup cannot be interrupted.
_LOOKUPS = BoundedSemaphore(16)


class Url(NamedTuple):
    """A URL, taken apart; `host` is in lower case, an address of IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a server is told apart by."""
        return self[:3]

    @property
    def authority(self) -> str:
        """The host, and the port where it is not that of the scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Host(NamedTuple):
    """A host of the list: a name or an address, all names below one, or one port of it."""

    name: str
    below: bool
    port: int | None

    def allows(self, url: Url) -> bool:
        """Return whether a URL is on it."""
        port = _PORTS[url.scheme] if self.port is None else self.port
        named = url.host.endswith("." + self.name) if self.below else url.host == self.name
        return named and url.port == port

    @property
    def networks(self) -> tuple[Network, ...]:
        """The addresses that may be connected to because the host names them."""
        if self.name == "localhost" and not self.below:
            return _LOOPBACK
        try:
            return (ip_network(self.name),)
        except ValueError:
            return ()


class Address(NamedTuple):
    """An address that was checked, as `socket` takes it."""

    family: int
    place: Any


def parse_url(text: str) -> Url:
    """Take a URL apart.

    Raises:
        Refused: it is none, or has a user in it, or characters that are not plain.
    """
    match = _URL.fullmatch(text.partition("#")[0]) if len(text) <= _LONGEST else None
    host = None if match is None else _canonical(match[2])
    if match is None or host is None or int(match[3] or 0) > _LAST_PORT:
        raise Refused("the URL is none of HTTP that is plain: http or https, a host, no user")
    scheme = match[1].lower()
    port = _PORTS[scheme] if match[3] is None else int(match[3])
    target = match[4] or "/"
    return Url(scheme, host, port, target if target[0] == "/" else "/" + target)


def parse_host(text: object) -> Host:
    """Return a host of the list: `NAME`, `*.NAME`, an address, each with `:PORT` or without.

    Raises:
        InvalidOptionError: it is none.
    """
    match = _HOST.fullmatch(text) if isinstance(text, str) else None
    name = None if match is None else _canonical(match[2])
    wrong = match is not None and int(match[3] or 0) > _LAST_PORT
    if match is None or name is None or wrong or (match[1] and not _is_name(name)):
        details = f"{text!r} is no host: NAME, *.NAME or an address, each with :PORT or without"
        raise InvalidOptionError("hosts", details)
    return Host(name, bool(match[1]), None if match[3] is None else int(match[3]))


def check_networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return networks of addresses, such as `10.0.0.0/8`.

    Raises:
        InvalidOptionError: a text is none.
    """
    try:
        return tuple([ip_network(text) for text in texts])
    except (TypeError, ValueError) as error:
        raise InvalidOptionError("addresses", str(error)) from None


def _canonical(text: str) -> str | None:
    """Return a host in its one spelling; None where it is none, such as an octal address."""
    try:
        return str(ip_address(text[1:-1] if text[0] == "[" else text))
    except ValueError:
        name = text.lower()
        return name if _is_name(name) else None


def _is_name(text: str) -> bool:
    """Return whether a text of letters, digits, dots and the like is a name in its plain form."""
    parts = text.split(".")
    whole = all(part and len(part) <= 63 and part.strip("-") == part for part in parts)
    return whole and len(text) <= 253 and not _NUMBER.fullmatch(parts[-1])


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of the public network."""
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST or any(address in network for network in _TUNNELS):
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def addresses(url: Url, networks: tuple[Network, ...], time: CallTime) -> list[Address]:
    """Resolve the host of a URL.

    Args:
        url: the URL.
        networks: the addresses that may be used though they are not public.
        time: of the request.

    Returns:
        The addresses that may be connected to.

    Raises:
        Refused: there are none.
    """
    found = []
    for family, _, _, _, place in _resolved(url, time):
        try:
            address = ip_address(place[0])
        except ValueError:
            continue
        plain = getattr(address, "ipv4_mapped", None) or address
        if is_public(plain) or any(plain in network for network in networks):
            found.append(Address(family, place))
    if not found:
        raise Refused(f"'{url.host}' has no public address, and no other was granted")
    return found[:_TRIED]


def _resolved(url: Url, time: CallTime) -> list[Any]:
    """Look up the host of a URL, in a thread: the system's lookup cannot be interrupted."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            found.clear()
        finally:
            _LOOKUPS.release()

    if not _LOOKUPS.acquire(blocking=False):
        raise Refused("too many names are being looked up")
    thread = Thread(target=look_up, name="purewasm lookup", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _LOOKUPS.release()
        raise Refused("there is no thread to look a name up in") from None
    while thread.is_alive():
        thread.join(PIECE)
        time.check()
    if not found:
        raise Refused(f"'{url.host}' has no address")
    return found
