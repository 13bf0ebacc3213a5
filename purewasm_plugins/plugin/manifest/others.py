"""What the formats of other hosts have in common: hosts, paths, sizes."""

from __future__ import annotations

import re

from purewasm_plugins.errors import InvalidOptionError
from purewasm_plugins.plugin.manifest.tables import Table
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Sequence

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
else:
    Http = Any

__all__ = ["all_requests", "memory_pages"]

_PAGE = 65536
_SIZE = re.compile(r"([0-9]{1,12}) ?(?:([kKMGT])(i?))?B?")


def all_requests(table: Table, hosts: Sequence[tuple[str, str]]) -> Http | None:
    """Return the grant of requests of all methods to hosts; None for no hosts.

    Args:
        table: where they are.
        hosts: the key of each, and the host.

    Raises:
        ManifestError: one is no host here.
    """
    if not hosts:
        return None
    # Imported here: it is slow, and most plugins send no requests.
    from purewasm_plugins.capabilities.http import METHODS, Http

    for key, host in hosts:
        if host == "*":
            raise table.error(key, "'*' is not granted: requests go to hosts with names")
        try:
            Http((host,))
        except InvalidOptionError as error:
            raise table.error(key, error.details) from None
    return Http(tuple(host for _, host in hosts), METHODS)


def memory_pages(table: Table, key: str) -> dict[str, int]:
    """Return the limit of a size such as `512Mi`, in pages; none where the key is missing.

    Raises:
        ManifestError: it is no size.
    """
    text = table.text(key)
    if text is None:
        return {}
    match = _SIZE.fullmatch(text)
    if match is None:
        raise table.error(key, "it must be a size, such as '512Mi'")
    unit = 1024 if match[3] else 1000
    size = int(match[1]) * unit ** " KMGT".index((match[2] or " ").upper())
    return {"memory_pages": size // _PAGE}
