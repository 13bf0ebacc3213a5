"""What a client may use of the server."""

from __future__ import annotations

from purewasm_plugins.support.records import Record

__all__ = ["ServerLimits"]


class ServerLimits(Record):
    """The limits of a server. What is over one of them is answered with an error.

    Attributes:
        message_bytes: bytes of a line, or of the body of an HTTP request.
        calls: calls of tools that run or wait for their plugin.
        subscriptions: streams of changes that are open, of all clients together.
        batch: messages in one batch, which revision 2025-03-26 has.
        page: tools in one page of the list.
        connections: connections of HTTP at once.
        sessions: sessions of HTTP that began with `initialize`. One more ends the session that was
            used longest ago and does nothing.
        patience: seconds that a connection may take to send a request or to take an answer, or be
            idle.
        approval: seconds that a person has to decide on a call.
    """

    message_bytes: int = 4 * 1024 * 1024
    calls: int = 64
    subscriptions: int = 64
    batch: int = 64
    page: int = 100
    connections: int = 128
    sessions: int = 256
    patience: float = 30.0
    approval: float = 300.0

    def __post_init__(self) -> None:
        for name in self.__match_args__:
            value = getattr(self, name)
            kinds = (int, float) if name in ("patience", "approval") else (int,)
            if not isinstance(value, kinds) or isinstance(value, bool) or not 0 < value < 2**53:
                raise ValueError(f"the limit {name} must be a number above zero: {value!r}")
