"""What a cache is to those that use one."""

from __future__ import annotations

from typing import Protocol


class CodeCache(Protocol):
    """Keeps bytes by key, across processes."""

    def get(self, key: str) -> bytes | None:
        """What was put under the key, whole and unchanged; None if there is nothing."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep `content` under the key, in place of what was there. A failure is no error."""
        ...
