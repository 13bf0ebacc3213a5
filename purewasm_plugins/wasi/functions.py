"""What the functions of preview 1 share: the state, the memory, and paying for what they move."""

from __future__ import annotations

from purewasm_plugins.runtime.limits import BYTES_PER_UNIT, pieces
from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.support.typed import Iterable
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.files import FileStatus
from purewasm_plugins.wasi.layout import Layout, TimeFlags
from purewasm_plugins.wasi.state import WasiState

__all__ = ["PIECE", "Functions"]

#: Bytes that are moved at once.
PIECE = 1 << 20


class Functions:
    """Functions of preview 1, for one instance.

    Each is a method of the name that the specification gives it, on raw values: see
    `runtime.values`. It returns nothing where it succeeds, and raises `ErrnoError` where it does
    not; what it computes, it writes into the module's memory. An address outside is a trap.

    Attributes:
        state: the state of WASI in the instance.
        descriptors: its descriptors.
        layout: how structures lie in memory.
        memory: its memory; set before each call.
    """

    memory: Memory

    def __init__(self, state: WasiState, layout: Layout) -> None:
        self.state = state
        self.descriptors = state.descriptors
        self.layout = layout

    def pieces(self, size: int) -> Iterable[tuple[int, int]]:
        """Divide bytes into pieces, and pay for each before it is moved.

        Returns:
            The start and the end of each piece.
        """
        if size > PIECE:
            return pieces(size, BYTES_PER_UNIT, self.state.spend)
        # Most are one piece, which takes no generator.
        self.state.spend(-(-size // BYTES_PER_UNIT))
        return ((0, size),)

    def write_status(self, address: int, status: FileStatus) -> None:
        """Write a file's status. Devices are numbered in the order in which they are met."""
        status = status._replace(device=self.state.device(status.device))
        self.memory.write(address, self.layout.packed(status))

    def times(self, accessed: int, modified: int, flags: int) -> tuple[int | None, int | None]:
        """Return the times that are to be set; None for one that is not."""
        if flags & ~TimeFlags.ALL:
            raise ErrnoError(Errno.INVAL)
        return (
            self._time(accessed, flags & TimeFlags.ATIM, flags & TimeFlags.ATIM_NOW),
            self._time(modified, flags & TimeFlags.MTIM, flags & TimeFlags.MTIM_NOW),
        )

    def _time(self, given: int, is_given: int, is_now: int) -> int | None:
        if is_given and is_now:
            raise ErrnoError(Errno.INVAL)
        if is_now:
            return self.state.clock.realtime()
        return given if is_given else None
