"""`Managed`: what can be closed, and refuses to be used after that."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["Managed"]

_Self = TypeVar("_Self", bound="Managed")


class Managed:
    """An object that can be closed, by `close` or at the end of a `with`.

    In wasmtime it is freed; here `close` of a `Store` frees the memory of its instances, once
    nothing else refers to it, and of anything else only makes the object unusable.
    """

    _closed = False

    def close(self) -> None:
        """Close it. Any use after that raises ValueError; it can be closed again."""
        if not self._closed:
            self._closed = True
            self.release()

    def release(self) -> None:
        """Free what it holds; `close` calls it, once."""

    def check_open(self) -> None:
        """Check that it can be used.

        Raises:
            ValueError: it was closed, or given to what has taken it over.
        """
        if self._closed:
            raise ValueError("already closed")

    def consume(self) -> None:
        """Make it unusable, because something else has taken over what it holds.

        Raises:
            ValueError: it was closed before, or taken over by something else.
        """
        self.check_open()
        self._closed = True

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
