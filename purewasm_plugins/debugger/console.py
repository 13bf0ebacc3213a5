"""What a debugged module has written to its output streams, with the step of each write."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from purewasm_plugins.engine.stepping import Clock
from purewasm_plugins.wasi.grants import Wasi, granted

_STREAMS = ("stdout", "stderr")


class Written(NamedTuple):
    """What was written to one stream, until the other one was written to.

    Attributes:
        stream: "stdout" or "stderr".
        data: the bytes.
    """

    stream: str
    data: bytes


class OutputConsole:
    """The output of a session's call, up to any of its steps: `session.console`.

    It gets what the grants of WASI have captured; other streams go where they were sent. A write is
    made once, however often the session goes over it.
    """

    def __init__(self) -> None:
        self._clock: Clock | None = None
        # A module chooses how many writes there are: each has 17 bytes here.
        self._data = bytearray()
        self._ends, self._steps, self._streams = array("Q"), array("Q"), bytearray()

    def listening(self, wasi: Wasi | bool | None) -> Wasi | None:
        """Return grants whose captured streams come here."""
        if wasi is None or wasi is False:
            return None
        given = granted(wasi)
        captured: dict[str, Any] = {
            name: self._writer(number)
            for number, name in enumerate(_STREAMS)
            if getattr(given, name) == "capture"
        }
        return replace(given, **captured)

    def begin(self, clock: Clock) -> None:
        """Keep what the call writes whose steps the clock counts."""
        self._clock = clock

    def _writer(self, stream: int) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            clock = self._clock
            # Not while the module is loaded, nor in what runs aside of the call.
            if clock is None or not clock.live or not data:
                return
            self._data += data
            self._ends.append(len(self._data))
            self._steps.append(clock.step)
            self._streams.append(stream)

        return write

    def written(self, until: int, since: int = -1, most: int = 1 << 16) -> list[Written]:
        """Return what was written, in its order.

        Args:
            until: the last step whose writes count.
            since: the last step whose writes do not.
            most: bytes: what was written before the last so many is left out.
        """
        found: list[Written] = []
        first, last = bisect_right(self._steps, since), bisect_right(self._steps, until)
        if first == last:
            return found
        start = self._ends[first - 1] if first else 0
        start = max(start, self._ends[last - 1] - most)
        first = bisect_right(self._ends, start, first, last)
        for index in range(first, last):
            stream = self._streams[index]
            if index + 1 == last or self._streams[index + 1] != stream:
                end = self._ends[index]
                found.append(Written(_STREAMS[stream], bytes(self._data[start:end])))
                start = end
        return found
