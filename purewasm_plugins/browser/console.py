"""What a module writes to its output streams, as text for the page's console."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Callable

_Decoder = getincrementaldecoder("utf-8")

#: The numbers of the streams.
STDOUT, STDERR = 1, 2


class Console:
    """The output streams of the module that runs.

    Attributes:
        stdout, stderr: the streams, as `Wasi` takes them.
    """

    def __init__(self, show: Callable[[int, str], object]) -> None:
        """Take the function that shows text; it gets the number of the stream and the text."""
        self._show = show
        self.stdout = Stream(self, STDOUT)
        self.stderr = Stream(self, STDERR)
        self.begin()

    def begin(self) -> None:
        """Begin a call."""
        self._decoders = {stream: _Decoder("replace") for stream in (STDOUT, STDERR)}

    def end(self) -> None:
        """Show what is left of characters that were written in part."""
        for stream in self._decoders:
            self.write(stream, b"", final=True)

    def write(self, stream: int, data: bytes, *, final: bool = False) -> None:
        """Take what is written to a stream."""
        text = self._decoders[stream].decode(data, final)
        if text:
            self._show(stream, text)


class Stream:
    """One of the streams of a console, as an open binary file.

    For a module it is a terminal: its C library then writes lines, and not pieces of many lines.
    """

    def __init__(self, console: Console, number: int) -> None:
        self._console = console
        self._number = number

    def write(self, data: bytes) -> None:
        """Take what is written."""
        self._console.write(self._number, data)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return True
