"""What a module writes to its output streams, as text for the page's console."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

_Decoder = getincrementaldecoder("utf-8")

#: The numbers of the streams, as a module has them.
STDOUT, STDERR = 1, 2


class Console:
    """The output streams of the module that runs.

    Attributes:
        bytes: how many bytes were written since `begin`.
    """

    def __init__(self, show: Callable[[int, str], object]) -> None:
        """Take the function that shows text; it gets the number of the stream and the text."""
        self._show = show
        self.begin()

    def begin(self) -> None:
        """Begin a call."""
        self._decoders = {stream: _Decoder("replace") for stream in (STDOUT, STDERR)}
        self.bytes = 0

    def end(self) -> None:
        """Show what is left of characters that were written in part."""
        for stream in self._decoders:
            self._write(stream, b"", final=True)

    def stdout(self, data: bytes) -> None:
        """Take what is written to standard output."""
        self._write(STDOUT, data)

    def stderr(self, data: bytes) -> None:
        """Take what is written to standard error."""
        self._write(STDERR, data)

    def _write(self, stream: int, data: bytes, *, final: bool = False) -> None:
        self.bytes += len(data)
        text = self._decoders[stream].decode(data, final)
        if text:
            self._show(stream, text)
