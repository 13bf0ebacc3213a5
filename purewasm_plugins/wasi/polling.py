"""`poll_oneoff`: waiting for clocks and descriptors."""

from __future__ import annotations

from struct import Struct

from purewasm_plugins.runtime.memory import Memory
from purewasm_plugins.support.light import NamedTuple
from purewasm_plugins.wasi.clocks import MONOTONIC, REALTIME
from purewasm_plugins.wasi.descriptors import OpenFile, OpenInput, OpenOutput
from purewasm_plugins.wasi.errno import Errno, ErrnoError
from purewasm_plugins.wasi.layout import EVENT, Layout
from purewasm_plugins.wasi.state import WasiState

__all__ = ["poll"]

#: Subscriptions of one call. Programs have a handful.
_MOST = 4096

#: The user's data, the kind, and the descriptor of a subscription to one.
_HEAD = Struct("<QB7xI")

#: The kinds of subscriptions and events (`eventtype`).
_CLOCK, _FD_READ, _FD_WRITE = 0, 1, 2

#: The flag of a clock: its time is a moment, and no duration (`subscription_clock_abstime`).
_ABSOLUTE = 1

#: The flag of an event: the file has ended (`fd_readwrite_hangup`).
_HANGUP = 1


class _Subscription(NamedTuple):
    """What a module waits for.

    Attributes:
        user_data: what the event carries back.
        type: its kind.
        number: a clock or a descriptor.
        time: of a clock, the nanoseconds until it is due.
    """

    user_data: int
    type: int
    number: int
    time: int = 0


def poll(
    state: WasiState, memory: Memory, layout: Layout, subscriptions: int, events: int, count: int
) -> int:
    """Wait until something that was subscribed to has happened.

    Args:
        state: the state of the instance.
        memory: its memory.
        layout: of the subscriptions.
        subscriptions, events: the addresses of the arrays.
        count: how many subscriptions there are.

    Returns:
        How many events there are.

    Raises:
        ErrnoError: INVAL for no subscription, or one that is none.
        Trap: the arrays do not lie in the memory, or a limit of the call was reached.
    """
    if not 0 < count <= _MOST:
        raise ErrnoError(Errno.INVAL)
    # They are checked whole, before anything waits.
    memory.view(subscriptions, count * layout.subscription)
    memory.view(events, count * EVENT.size)
    state.spend(count)
    size = layout.subscription
    awaited = [
        _read(state, memory.read(subscriptions + index * size, size), layout)
        for index in range(count)
    ]
    start = state.clock.monotonic()
    due = min((one.time for one in awaited if one.type == _CLOCK), default=None)
    elapsed = 0
    if due != 0 and not any(_event(state, one, 0) for one in awaited):
        _wait(state, awaited, due)
        elapsed = state.clock.monotonic() - start if state.clock.waits else due or 0
    found = [event for one in awaited if (event := _event(state, one, elapsed))]
    memory.write(events, b"".join(found))
    return len(found)


def _read(state: WasiState, data: bytes, layout: Layout) -> _Subscription:
    """Return a subscription.

    Raises:
        ErrnoError: INVAL where it is none.
    """
    user_data, type, number = _HEAD.unpack_from(data)
    if type in (_FD_READ, _FD_WRITE):
        return _Subscription(user_data, type, number)
    if type != _CLOCK:
        raise ErrnoError(Errno.INVAL)
    clock, time, flags = layout.clock.unpack_from(data)
    if clock not in (REALTIME, MONOTONIC):
        raise ErrnoError(Errno.INVAL)
    if flags & _ABSOLUTE:
        now = state.clock.realtime() if clock == REALTIME else state.clock.monotonic()
        time = max(time - now, 0)
    return _Subscription(user_data, type, clock, time)


def _wait(state: WasiState, awaited: list[_Subscription], due: int | None) -> None:
    """Wait until the standard input can be read, if that is awaited, or until the first clock."""
    if due is not None and not state.clock.waits:
        state.pause.check(0.0)
        state.clock.skip(due)
        return
    seconds = None if due is None else due / 1e9
    inputs = [
        found.stream
        for one in awaited
        if one.type == _FD_READ
        and isinstance(found := state.descriptors.get(one.number), OpenInput)
    ]
    if inputs:
        state.pause.until(inputs[0].ready, seconds)
    else:
        state.pause.sleep(seconds or 0.0)


def _event(state: WasiState, one: _Subscription, elapsed: int) -> bytes | None:
    """Return the event of a subscription; None where nothing has happened."""
    if one.type == _CLOCK:
        happened = one.time <= elapsed
        return EVENT.pack(one.user_data, 0, _CLOCK, 0, 0) if happened else None
    size, flags = 0, 0
    try:
        found = state.descriptors.get(one.number)
        if isinstance(found, OpenInput) and one.type == _FD_READ:
            if not found.stream.ready(0.0):
                return None
            size = 1
        elif isinstance(found, OpenFile):
            size = max(found.file.status().size - found.position, 0)
            flags = _HANGUP if one.type == _FD_READ and size == 0 else 0
        elif not isinstance(found, OpenOutput) or one.type == _FD_READ:
            raise ErrnoError(Errno.BADF)
    except ErrnoError as error:
        return EVENT.pack(one.user_data, error.errno, one.type, 0, 0)
    return EVENT.pack(one.user_data, 0, one.type, size, flags)
