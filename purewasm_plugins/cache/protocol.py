"""The protocol of a cache."""

from __future__ import annotations

from purewasm_plugins.support.typed import Protocol


class CodeCache(Protocol):
    """A store of bytes by key, which outlives the process.

    Its content is run as code: it must only return what was put there by this package, unchanged.
    `cache.keys` makes the keys.
    """

    def get(self, key: str) -> bytes | None:
        """Return what was put under the key, whole and unchanged; None if there is nothing."""

    def put(self, key: str, content: bytes) -> None:
        """Keep the content under the key, in place of what was there. A failure is no error."""
