"""The standard streams of a module: what it reads from, and what its output goes to.

A read that waits, and a sleep, look at the limits of the call in between: see `Pause`.
"""

from __future__ import annotations

import sys
from io import RawIOBase
from time import monotonic, sleep

from purewasm_plugins.runtime.glue import HostException
from purewasm_plugins.support.typed import Any, Callable, Protocol
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.grants import BinaryReader, BinaryWriter, Quotas, Wasi

__all__ = ["Input", "Output", "OutputMeter", "Pause", "input_of", "output_of"]

#: Seconds between two looks at the limits of a call that waits.
_PATIENCE = 0.05

#: Bytes that are read from the host at a time.
_PIECE = 65536

#: `select` takes smaller descriptors only; `poll`, that takes all, has no terminals on macOS.
_SELECTABLE = 1024

#: There `select` takes sockets only.
_IS_WINDOWS = sys.platform == "win32"


class Pause:
    """Waiting inside a call: in pieces, so that its deadline and its cancellation end it.

    Attributes:
        check: raises the `Trap` that ends the call, if a limit of it is reached; it takes the
            seconds that will pass until it is called again.
    """

    def __init__(self, check: Callable[[float], None]) -> None:
        self.check = check

    def sleep(self, seconds: float) -> None:
        """Wait so long."""

        def wait(piece: float) -> bool:
            sleep(piece)
            return False

        self.until(wait, seconds)

    def until(self, wait: Callable[[float], bool], seconds: float | None) -> bool:
        """Wait until something has happened, or so long.

        Args:
            wait: waits up to so many seconds, and returns whether it has happened.
            seconds: the longest time; None for any.

        Returns:
            Whether it has happened.
        """
        end = None if seconds is None else monotonic() + seconds
        while True:
            piece = _PATIENCE
            if end is not None:
                piece = max(0.0, min(piece, end - monotonic()))
            self.check(piece)
            if wait(piece):
                return True
            if end is not None and monotonic() >= end:
                return False


class Input(Protocol):
    """A standard input.

    Attributes:
        is_terminal: whether it is one.
    """

    is_terminal: bool

    def read(self, size: int, pause: Pause) -> bytes:
        """Return up to so many bytes, after waiting for the first; none at the end."""

    def ready(self, seconds: float) -> bool:
        """Wait up to so long, and return whether a read would not wait."""


class _Buffered:
    """An input that is read in pieces, of which a module takes smaller ones.

    Attributes:
        is_terminal: see `Input`.
    """

    is_terminal = False

    def __init__(self, read: Callable[[int], bytes | None], waiting: int | None = None) -> None:
        """Take what reads.

        Args:
            read: returns up to so many bytes, none at the end.
            waiting: a descriptor of the system that tells whether `read` would wait; None where it
                never does, or cannot be asked.
        """
        self._read = read
        self._waiting = waiting
        #: A view: a function may return more than was asked for, and each read would copy the rest.
        self._pending = memoryview(b"")
        self._ended = False

    def read(self, size: int, pause: Pause) -> bytes:
        """See `Input`."""
        if not self._pending and not self._ended and size:
            pause.until(self.ready, None)
            self._pending = memoryview(self._read(_PIECE) or b"")
            self._ended = not self._pending
        data, self._pending = self._pending[:size], self._pending[size:]
        return bytes(data)

    def ready(self, seconds: float) -> bool:
        """See `Input`."""
        if self._pending or self._ended or self._waiting is None:
            return True
        return _is_readable(self._waiting, seconds)


def _is_readable(descriptor: int, seconds: float) -> bool:
    """Wait up to so long, and return whether a descriptor of the system can be read."""
    import select

    if descriptor < _SELECTABLE:
        return bool(select.select([descriptor], [], [], seconds)[0])
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def input_of(wasi: Wasi) -> Input:
    """Return the standard input that was granted."""
    given: Any = wasi.stdin
    if given is None:
        given = b""
    if given == "inherit":
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            return _Buffered(_nothing)
        # A thread that waits in a buffered file would hold its lock when Python ends.
        found = _of_file(getattr(stream, "raw", stream) if _IS_WINDOWS else stream)
        found.is_terminal = _is_terminal(stream)
        return found
    if isinstance(given, bytes):
        return _Buffered(_Bytes(given).read)
    if isinstance(given, BinaryReader):
        return _of_file(given)
    return _Buffered(_checked(given))


class _Bytes:
    """The standard input that bytes are."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return up to so many bytes."""
        start = self._position
        self._position += size
        return self._data[start : self._position]


def _nothing(size: int) -> bytes:
    """Return nothing, as at the end of a file."""
    return b""


def _of_file(file: Any) -> _Buffered:
    """Return the input that an open file is."""
    # `read` of a buffered file waits for as much as it was asked for.
    read = getattr(file, "read1", file.read)
    waiting: int | None = None
    try:
        waiting = file.fileno()
    except (AttributeError, OSError, ValueError):
        return _Buffered(_checked(read))
    return _Background(_checked(read)) if _IS_WINDOWS else _Buffered(_checked(read), waiting)


class _Background(_Buffered):
    """An input that a thread reads, where the system cannot tell whether a read would wait."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        super().__init__(self._take)
        self._source = read
        self._found: list[bytes | BaseException] = []
        self._arrived: Any = None

    def ready(self, seconds: float) -> bool:
        """See `Input`."""
        if self._pending or self._ended:
            return True
        if self._arrived is None:
            from threading import Event, Thread

            self._arrived = Event()
            Thread(target=self._fetch, args=(self._arrived,), daemon=True).start()
        return bool(self._arrived.wait(seconds))

    def _fetch(self, arrived: Any) -> None:
        try:
            self._found.append(self._source(_PIECE))
        except BaseException as error:
            self._found.append(error)
        arrived.set()

    def _take(self, size: int) -> bytes:
        """Return what the thread has read; `ready` has waited for it."""
        self._arrived = None
        found = self._found.pop()
        if isinstance(found, BaseException):
            raise found
        return found


def _checked(read: Callable[[int], Any]) -> Callable[[int], bytes]:
    """Return a function that reads, whose exceptions end the call and are no error of WASI."""

    def call(size: int) -> bytes:
        try:
            data = read(size)
            if data is not None and not isinstance(data, (bytes, bytearray, memoryview)):
                raise TypeError(f"the standard input returned {type(data).__name__}, not bytes")
        except Exception as error:
            raise HostException(error) from None
        return bytes(data or b"")

    return call


class OutputMeter:
    """What the output streams may still take.

    Attributes:
        exceeded: whether something was refused.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quota = quotas.output_bytes
        self._used = 0
        self.exceeded = False

    def take(self, size: int) -> int:
        """Take so many bytes, or as many as are left.

        Raises:
            ErrnoError: NOSPC where none are left.
        """
        if self._quota is not None and self._used + size > self._quota:
            self.exceeded = True
            size = self._quota - self._used
            if size <= 0:
                raise ErrnoError(Errno.NOSPC)
        self._used += size
        return size

    def give_back(self, size: int) -> None:
        """Give back what was not written."""
        self._used -= size

    def renew(self) -> None:
        """Begin anew."""
        self._used = 0


class Output:
    """An output stream.

    Attributes:
        captured: what was written, where it is captured.
        is_terminal: whether it is one.
    """

    def __init__(
        self, write: Callable[[bytes], object], meter: OutputMeter, is_terminal: bool = False
    ) -> None:
        """Take what writes; if it returns an int, it has written so many bytes, else all."""
        self._write = write
        self._meter = meter
        self.captured = bytearray()
        self.is_terminal = is_terminal

    def write(self, data: bytes) -> int:
        """Write bytes, or as many as the quota allows, and return how many."""
        size = self._meter.take(len(data))
        written: object = 0
        try:
            written = self._write(data if size == len(data) else data[:size])
        finally:
            done = written if isinstance(written, int) else size
            self._meter.give_back(size - done)
        return done


def output_of(given: Any, name: str, meter: OutputMeter) -> Output:
    """Return an output stream that was granted.

    Args:
        given: `Wasi.stdout` or `Wasi.stderr`.
        name: "stdout" or "stderr".
        meter: what both may take.
    """
    if given == "capture":
        output = Output(_nowhere, meter)
        output._write = output.captured.extend
        return output
    if given == "discard":
        return Output(_nowhere, meter)
    if given == "inherit":
        stream = getattr(sys, name)
        if stream is None:
            return Output(_nowhere, meter)
        return Output(_inherited(stream), meter, _is_terminal(stream))
    if isinstance(given, BinaryWriter):
        return Output(_flushed(given), meter, _is_terminal(given))
    return Output(_calling(given), meter)


def _is_terminal(file: Any) -> bool:
    """Return whether a file is a terminal; a closed one is none."""
    try:
        return bool(file.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def _nowhere(data: bytes) -> None:
    """Drop what is written."""


def _inherited(stream: Any) -> Callable[[bytes], object]:
    """Return what writes to a stream of this process, after what Python has written there.

    Where the reader of the stream is gone, it ends the call, as the system ends a process.
    """
    binary = getattr(stream, "buffer", None)
    if binary is not None:
        stream.flush()
    inner: Callable[[bytes], object]
    inner = _text_writer(stream) if binary is None else _flushed(binary)

    def write(data: bytes) -> object:
        try:
            return inner(data)
        except BrokenPipeError as error:
            raise HostException(error) from None

    return write


def _text_writer(stream: Any) -> Callable[[bytes], None]:
    """Return what writes to a stream of text that took the place of the process's own."""
    from codecs import getincrementaldecoder

    decoder = getincrementaldecoder("utf-8")("replace")

    def write(data: bytes) -> None:
        stream.write(decoder.decode(data))
        stream.flush()

    return write


def _flushed(file: Any) -> Callable[[bytes], int]:
    """Return what writes to a file, at once, and returns how much: AGAIN for nothing.

    It is less than all where an unbuffered file takes no more, as one that must not wait.
    """
    flush = getattr(file, "flush", None)
    is_raw = isinstance(file, RawIOBase)

    def write(data: bytes) -> int:
        done = 0
        while done < len(data):
            written = file.write(data[done:] if done else data)
            if not isinstance(written, int) and not is_raw:
                # It does not tell, so it has taken all.
                break
            if not written or written < 0:
                if not done:
                    raise ErrnoError(Errno.AGAIN)
                return done
            done += written
        if flush is not None:
            flush()
        return len(data)

    return write


def _calling(function: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Return what calls a function with bytes, whose exceptions end the call."""

    def write(data: bytes) -> None:
        try:
            function(data)
        except Exception as error:
            raise HostException(error) from None

    return write
