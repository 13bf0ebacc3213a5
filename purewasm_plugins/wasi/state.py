"""The state of WASI in one instance: its descriptors, clocks and random numbers."""

from __future__ import annotations

import os
from _random import Random

from purewasm_plugins.runtime.imports import Imports
from purewasm_plugins.runtime.instance import Caller, HostState
from purewasm_plugins.support.typed import Callable
from purewasm_plugins.wasi.clocks import Clock, HostClock, ReplayedClock
from purewasm_plugins.wasi.descriptors import Descriptors, OpenDirectory, OpenInput, OpenOutput
from purewasm_plugins.wasi.emscripten import Emscripten
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.grants import Wasi
from purewasm_plugins.wasi.streams import OutputMeter, Pause, input_of, output_of

__all__ = ["WasiState"]


class WasiState(HostState):
    """What the functions of WASI hold for one instance.

    It is the `Quota` that directories ask.

    Attributes:
        wasi: the grants.
        descriptors: the open descriptors.
        clock: the clocks.
        random: returns so many random bytes.
        pause: how a call waits.
        caller: the instance whose call runs, or ran last: its limits hold while it waits.
        emscripten: what Emscripten's functions hold, once one is imported.
        imports: what the instance was given beside WASI, for another one like it.
    """

    def __init__(self, wasi: Wasi) -> None:
        """Open what was granted.

        Raises:
            GrantError: a directory cannot be opened; those before it are closed again.
        """
        self.wasi = wasi
        self.clock: Clock = (
            ReplayedClock(wasi.clock) if not isinstance(wasi.clock, str) else HostClock()
        )
        self.random: Callable[[int], bytes] = _random_of(wasi.random)
        self.pause = Pause(self._check_limits)
        self.emscripten: Emscripten | None = None
        self.imports: Imports | None = None
        self.caller: Caller | None = None
        #: The devices that the module has met; its streams are on the first.
        self._devices = {0: 0}
        self._meter = OutputMeter(wasi.quotas)
        self._exceeded: set[str] = set()
        self._outputs = [
            output_of(getattr(wasi, name), name, self._meter) for name in ("stdout", "stderr")
        ]
        self.descriptors = Descriptors(wasi.quotas)
        self.descriptors.add(OpenInput(input_of(wasi)))
        for output in self._outputs:
            self.descriptors.add(OpenOutput(output))
        try:
            for path, grant in wasi.directories.items():
                root = OpenDirectory(grant.open(self), grant.read_only, grant, path.encode())
                self.descriptors.add(root)
        except BaseException:
            self.descriptors.close_all()
            raise

    # What the instance's host sees

    @property
    def stdout(self) -> bytes:
        """What the module wrote to its standard output, where that is captured."""
        return bytes(self._outputs[0].captured)

    @property
    def stderr(self) -> bytes:
        """What the module wrote to its standard error, where that is captured."""
        return bytes(self._outputs[1].captured)

    @property
    def exceeded(self) -> frozenset[str]:
        """The names of the quotas that have refused something so far."""
        more = {"output_bytes"} if self._meter.exceeded else set()
        more |= {"descriptors"} if self.descriptors.exceeded else set()
        return frozenset(self._exceeded | more)

    def begin_call(self) -> None:
        """Forget what was captured, and begin the quota of output anew."""
        for output in self._outputs:
            output.captured.clear()
        self._meter.renew()

    def finish_call(self) -> None:
        """Store what was changed in directories.

        Raises:
            GrantError: it cannot be stored.
        """
        for grant in self.wasi.directories.values():
            if not grant.read_only:
                grant.finish()

    def close(self) -> None:
        """Close all descriptors, and forget the instance. It can be called again."""
        self.descriptors.close_all()
        self.caller = None

    # What the functions use

    def _check_limits(self, seconds: float) -> None:
        if self.caller is not None:
            self.caller.instance.budget.check_limits(0, seconds)

    def spend(self, units: int) -> None:
        """Pay for work of the host.

        Raises:
            OutOfFuel, DeadlineExceeded, Cancelled
        """
        if self.caller is not None:
            self.caller.instance.budget.spend(units)

    def device(self, number: int) -> int:
        """Return the number by which the module knows a device: it tells nothing of the host's."""
        return self._devices.setdefault(number, len(self._devices))

    def write(self, descriptor: int, data: bytes) -> None:
        """Write to standard output (1) or standard error (2), for functions that are not WASI's.

        What the quota refuses is dropped.
        """
        try:
            self._outputs[descriptor - 1].write(data)
        except (ErrnoError, OSError):
            return

    # `Quota`

    def now(self) -> int:
        """Return the time."""
        return self.clock.realtime()

    def check_file_size(self, size: int) -> None:
        """Refuse a file of so many bytes."""
        self._check("file_bytes", size, Errno.FBIG)

    def check_total_size(self, size: int) -> None:
        """Refuse so many bytes in all files of one grant."""
        self._check("total_bytes", size, Errno.NOSPC)

    def check_files(self, count: int) -> None:
        """Refuse so many files, directories and links in one grant."""
        self._check("files", count, Errno.NOSPC)

    def check_entries(self, count: int) -> None:
        """Refuse so many entries in one directory."""
        self._check("directory_entries", count, Errno.NOSPC)

    def _check(self, name: str, wanted: int, errno: Errno) -> None:
        if not self.wasi.quotas.allows(name, wanted):
            self._exceeded.add(name)
            raise ErrnoError(errno)

    def note_listing(self) -> None:
        """Note that a directory had more entries than may be listed."""
        self._exceeded.add("directory_entries")


def _random_of(granted: str | int) -> Callable[[int], bytes]:
    """Return what gives so many random bytes."""
    if isinstance(granted, str):
        return os.urandom
    generator = Random(granted)

    def numbers(size: int) -> bytes:
        return generator.getrandbits(8 * size).to_bytes(size, "little") if size else b""

    return numbers
