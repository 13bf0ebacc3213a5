"""What a client has running: calls of tools in threads, and streams of changes."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Protocol

from purewasm_plugins.errors import InvalidArgumentsError, ToolNotFoundError
from purewasm_plugins.mcp.approval import Questions, SessionApproval, StatelessApproval
from purewasm_plugins.mcp.messages import (
    JsonObject,
    ProtocolError,
    Request,
    RequestId,
    error_response,
    notification,
    result_response,
)
from purewasm_plugins.mcp.results import Wishes, complete
from purewasm_plugins.mcp.versions import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    LOG_LEVELS,
    SUBSCRIPTION_ID,
)
from purewasm_plugins.tools import Approver, Cancellation, ToolCall, ToolRegistry, ToolResult
from purewasm_plugins.tools.formats import MCP

__all__ = ["ACKNOWLEDGED", "Outlet", "Peer", "PluginLogs", "Running", "RunningCall", "Subscription"]

#: Seconds between two notifications of progress.
PROGRESS_PERIOD = 0.25

#: The first notification of a stream of changes.
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"

#: Log messages of one call.
_MOST_LOGGED = 200


class Outlet(Protocol):
    """What brings messages to the client. Any thread may use it."""

    def send(self, message: JsonObject) -> None:
        """Send a message."""

    def drop(self, id: RequestId) -> None:
        """Take note that the request with this id gets no response."""


class Running(Protocol):
    """What goes on after its request was read, until it has ended or is cancelled."""

    def cancel(self) -> None:
        """End it, and send nothing more for it."""

    def close(self) -> None:
        """End it because the server ends."""


class Peer:
    """A client, as far as the server must remember it: what of it runs, and its `initialize`.

    Attributes:
        version: the revision that `initialize` agreed on; None before, and for modern clients.
        client: what it called itself in `initialize`, or None.
        log_level: what `logging/setLevel` has set, or None.
        questions: what of it the server asks, and what was decided.
        calls: the calls whose threads have not ended: one that was cancelled may go on for a while.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.log_level: str | None = None
        self.client: str | None = None
        self.questions = Questions()
        self.calls: set[RunningCall] = set()
        self._running: dict[RequestId, Running] = {}
        self._lock = threading.Lock()

    def begin(self, id: RequestId, running: Running) -> None:
        """Remember what runs for a request.

        Raises:
            ProtocolError: another request has that id and was not answered yet.
        """
        with self._lock:
            if id in self._running:
                details = "another request with this id has not been answered yet"
                raise ProtocolError(INVALID_REQUEST, f"Invalid request: {details}")
            self._running[id] = running

    def end(self, id: RequestId) -> None:
        """Forget what ran for a request."""
        with self._lock:
            self._running.pop(id, None)

    def cancel(self, id: object) -> None:
        """Cancel what runs for a request, if anything does."""
        with self._lock:
            running = self._running.get(id) if isinstance(id, str | int) else None
        if running is not None:
            running.cancel()

    @property
    def busy(self) -> bool:
        """Whether anything runs."""
        return bool(self._running)

    def cancel_all(self) -> None:
        """Cancel all that runs."""
        for running in self._taken():
            running.cancel()

    def close(self) -> None:
        """End all that runs, because the server ends."""
        for running in self._taken():
            running.close()

    def _taken(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())


class RunningCall:
    """A call of a tool, in a thread of its own."""

    def __init__(
        self,
        registry: ToolRegistry,
        request: Request,
        name: str,
        arguments: JsonObject,
        wishes: Wishes,
        outlet: Outlet,
        logs: PluginLogs,
        peer: Peer,
        approval: StatelessApproval | None,
        patience: float,
        release: Callable[[], None],
    ) -> None:
        """Prepare a call; `start` begins it.

        Args:
            registry, name, arguments: the tool, and what it is called with.
            request, wishes, peer: what the client asked for, and the client.
            outlet: what the response and the notifications go to.
            logs: what brings log messages of plugins to `log`.
            approval: what decides where the tool needs approval; None where the client is to be
                asked within its session.
            patience: seconds that a person has to decide.
            release: called when the tool has ended.
        """
        self._registry = registry
        self._request = request
        self._name = name
        self._arguments = arguments
        self._wishes = wishes
        self._outlet = outlet
        self._logs = logs
        self._peer = peer
        self._release = release
        self._cancellation = Cancellation()
        self._stateless = approval
        self._patience = patience
        self._lock = threading.Lock()
        self._silent = False
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mcp-call", daemon=True)
        self._logged = 0

    def start(self) -> None:
        """Begin.

        Raises:
            ProtocolError: another request has this one's id and was not answered yet.
            RuntimeError: there can be no more threads.
        """
        self._peer.begin(self._request.id, self)
        self._peer.calls.add(self)
        try:
            self._thread.start()
        except RuntimeError:
            self._peer.end(self._request.id)
            self._peer.calls.discard(self)
            raise

    def wait(self, seconds: float) -> None:
        """Wait until the thread has ended, at most so many seconds."""
        self._thread.join(max(0.0, seconds))

    def cancel(self) -> None:
        """End the call within milliseconds, if its tool can be ended, and send no response."""
        self._cancellation.request()
        with self._lock:
            was_silent, self._silent = self._silent, True
        if not was_silent:
            self._outlet.drop(self._request.id)

    def close(self) -> None:
        """End the call because the server ends."""
        self.cancel()

    def log(self, level: str, logger: str, text: str) -> None:
        """Send a log message, if the client wants such ones and has not got too many."""
        wanted = self._wishes.log_level
        if wanted is None or LOG_LEVELS.index(level) < LOG_LEVELS.index(wanted):
            return
        self._logged += 1
        if self._logged <= _MOST_LOGGED:
            params = {"level": level, "logger": logger, "data": text}
            self._tell(notification("notifications/message", params))

    def _run(self) -> None:
        try:
            if self._wishes.progress_token is not None:
                threading.Thread(
                    target=self._tell_progress, name="mcp-progress", daemon=True
                ).start()
            with self._logs.to(self):
                response = self._response()
        except (Exception, SystemExit) as error:
            # The client waits for an answer, whatever went wrong here or in a tool.
            response = self._error(
                ProtocolError(INTERNAL_ERROR, f"Internal error: {type(error).__name__}")
            )
        finally:
            self._done.set()
            # Before the response: the client may use the id, and the place, as soon as it has it.
            self._peer.end(self._request.id)
            self._release()
        self._tell(response, last=True)
        self._peer.calls.discard(self)

    def _response(self) -> JsonObject:
        form = MCP(self._registry)
        read = form.call(self._name, self._arguments)
        caller = self._wishes.client or "a client of MCP"
        call = ToolCall(read.name, read.arguments, str(self._request.id), read.problem, caller)
        try:
            result = self._registry.execute(
                call, cancellation=self._cancellation, approver=self._approver()
            )
        except ToolNotFoundError as error:
            return self._error(ProtocolError(INVALID_PARAMS, str(error)))
        except InvalidArgumentsError as error:
            result = ToolResult(self._name, success=False, output="", error=str(error))
        stateless = self._stateless
        if stateless is not None and stateless.error is not None:
            return self._error(stateless.error)
        if stateless is not None and stateless.wanted is not None:
            return result_response(self._request.id, complete(stateless.wanted))
        (answer,) = form.messages([(call, result)])
        return result_response(
            self._request.id, complete(answer) if self._wishes.modern else answer
        )

    def _approver(self) -> Approver:
        """Return what asks the client, where the registry has nothing of its own to ask."""
        if self._stateless is not None:
            return Approver(self._stateless)
        questions = self._peer.questions
        ask = SessionApproval(questions, self._outlet.send, self._cancellation, self._patience)
        return Approver(ask, questions.decisions)

    def _error(self, error: ProtocolError) -> JsonObject:
        error.id = self._request.id
        return error_response(error)

    def _tell_progress(self) -> None:
        """Tell the progress while the call runs, each time with a larger number."""
        told = 0.0
        while not self._done.wait(PROGRESS_PERIOD):
            progress = self._cancellation.progress
            if progress is not None and told < progress < math.inf:
                told = progress
                params = {"progressToken": self._wishes.progress_token, "progress": progress}
                self._tell(notification("notifications/progress", params))

    def _tell(self, message: JsonObject, *, last: bool = False) -> None:
        with self._lock:
            if not self._silent:
                self._silent = last
                self._outlet.send(message)


class Subscription:
    """A stream of changes that a modern client listens to."""

    def __init__(
        self,
        request: Request,
        tools: bool,
        outlet: Outlet,
        ended: Callable[[], None],
    ) -> None:
        """Prepare a stream.

        Args:
            request: the client's.
            tools: whether the client wants to know of changes of the list of tools.
            outlet: what the notifications go to.
            ended: called at the end.
        """
        self._id = request.id
        self._tools = tools
        self._outlet = outlet
        self._ended = ended
        self._lock = threading.Lock()
        self._open = True

    def acknowledge(self) -> None:
        """Tell the client which of its wishes are met."""
        met = {"toolsListChanged": True} if self._tools else {}
        self._tell(ACKNOWLEDGED, {"notifications": met})

    def changed(self) -> None:
        """Tell the client that the list of tools has changed, if it wants to know that."""
        if self._tools:
            self._tell("notifications/tools/list_changed", {})

    def cancel(self) -> None:
        """End the stream for the client."""
        if self._shut():
            self._ended()
            self._outlet.drop(self._id)

    def close(self) -> None:
        """End the stream with a response, because the server ends."""
        if self._shut():
            self._ended()
            meta = {"_meta": {SUBSCRIPTION_ID: self._id}}
            self._outlet.send(result_response(self._id, complete(meta)))

    def _shut(self) -> bool:
        with self._lock:
            was_open, self._open = self._open, False
        return was_open

    def _tell(self, method: str, params: JsonObject) -> None:
        with self._lock:
            if self._open:
                self._outlet.send(
                    notification(method, {"_meta": {SUBSCRIPTION_ID: self._id}, **params})
                )


class PluginLogs(logging.Handler):
    """What brings the log messages of a plugin to the call in whose thread they come up."""

    def __init__(self) -> None:
        super().__init__()
        self._current = threading.local()

    def to(self, call: RunningCall) -> _Routed:
        """Return the context in which log messages of this thread are a call's."""
        return _Routed(self._current, call)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a message to the call of this thread, if it has one."""
        call: RunningCall | None = getattr(self._current, "call", None)
        if call is not None:
            level = record.levelname.lower()
            logger = getattr(record, "plugin", record.name)
            call.log(level if level in LOG_LEVELS else "info", str(logger), record.getMessage())


class _Routed:
    def __init__(self, current: threading.local, call: RunningCall) -> None:
        self._current = current
        self._call = call

    def __enter__(self) -> None:
        self._current.call = self._call

    def __exit__(self, *exception: object) -> None:
        self._current.call = None
