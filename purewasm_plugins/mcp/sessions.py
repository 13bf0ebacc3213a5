"""The sessions of HTTP clients that begin with `initialize`."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict

from purewasm_plugins.mcp.calls import Peer
from purewasm_plugins.mcp.outbox import Outbox

__all__ = ["Session", "Sessions"]


class Session:
    """What is kept of a client between its requests.

    Attributes:
        id: what the client shows with each request.
        peer: the client.
        stream: what goes into its stream of changes, or None where that is not open.
    """

    def __init__(self, peer: Peer) -> None:
        self.id = secrets.token_urlsafe(24)
        self.peer = peer
        self.stream: Outbox | None = None
        self._ended = False
        self._lock = threading.Lock()

    def open_stream(self, outbox: Outbox) -> bool:
        """Open the stream of changes; return False if it is open, or the session has ended."""
        with self._lock:
            if self.stream is not None or self._ended:
                return False
            self.stream = outbox
        return True

    def end(self) -> None:
        """End the session, and what runs in it."""
        with self._lock:
            self._ended = True
            stream = self.stream
        if stream is not None:
            # The stream waits for a response, which will not come.
            stream.drop(self.id)
        self.peer.cancel_all()


class Sessions:
    """The sessions by id, of which there is a bounded number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        #: The one that was used longest ago comes first.
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def add(self, peer: Peer) -> Session | None:
        """Begin a session; None where there are too many that do something.

        The session that was used longest ago, and does nothing, makes room.
        """
        session = Session(peer)
        with self._lock:
            idle: Session | None = None
            if len(self._sessions) >= self._most:
                idle = next((one for one in self._sessions.values() if not _active(one)), None)
                if idle is None:
                    return None
                del self._sessions[idle.id]
            self._sessions[session.id] = session
        if idle is not None:
            idle.end()
        return session

    def get(self, id: str) -> Session | None:
        """Return the session with an id, if there is one."""
        with self._lock:
            session = self._sessions.get(id)
            if session is not None:
                self._sessions.move_to_end(id)
            return session

    def remove(self, session: Session) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(session.id, None)
        session.end()

    def close(self) -> None:
        """End all sessions."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.end()


def _active(session: Session) -> bool:
    return session.stream is not None or session.peer.busy
