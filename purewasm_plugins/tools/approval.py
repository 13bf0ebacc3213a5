"""Approval: what decides whether a call of a tool that needs it may run."""

from __future__ import annotations

import sys

from purewasm_plugins.support.light import Enum
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Callable, ParamSpec, TypeVar
from purewasm_plugins.tools.errors import ToolRefusedError
from purewasm_plugins.tools.model import Cancellation, ToolCall, ToolDefinition, ToolImpl

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from concurrent.futures import Future
    from typing import TypeAlias

__all__ = ["ApprovalRequest", "Approve", "Approver", "Decision", "Decisions", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds between two checks whether a call that waits for another's decision was cancelled.
_PATIENCE = 0.05


class Decision(Enum):
    """What was decided on a call: that it runs, or not, and what holds for later calls.

    Attributes:
        ONCE: this call runs; the next one is asked about again.
        SESSION: this call runs, and so do all later ones of the tool.
        REFUSE: this call does not run; the next one is asked about again.
        NEVER: neither this call runs, nor do later ones of the tool.
    """

    ONCE = "once"
    SESSION = "session"
    REFUSE = "refuse"
    NEVER = "never"

    def __str__(self) -> str:
        return self.value


_REFUSALS = {
    Decision.REFUSE: "it needs approval, which was not given",
    Decision.NEVER: "it needs approval, which was refused for this and all later calls",
}


class ApprovalRequest(Record):
    """A call that is to be decided on, whose arguments fit the tool's schema.

    Attributes:
        call: the call, with its arguments.
        definition: what the tool says of itself.
        origin: what the tool is from, such as "plugin 'json'", or None.
        grants: what the tool may touch, in words, such as "writes files below /data".
        tool: the tool itself; one of a plugin has the plugin as `plugin`.
    """

    call: ToolCall
    definition: ToolDefinition
    origin: str | None
    grants: tuple[str, ...]
    tool: ToolImpl


if TYPE_CHECKING:
    Approve: TypeAlias = Callable[[ApprovalRequest], Decision | Awaitable[Decision]]
else:
    Approve = Callable


class Decisions:
    """What was decided for later calls of tools, and the questions that are open.

    A decision holds for a tool, and not for another one that gets its name. Any thread may use it.
    """

    def __init__(self) -> None:
        # Imported here: it is slow, and most programs need no approval.
        from threading import Lock

        self._lock = Lock()
        self._made: dict[str, tuple[ToolImpl, Decision]] = {}
        self._open: dict[int, Future[None]] = {}

    def find(self, request: ApprovalRequest) -> Decision | Future[None] | None:
        """Return the decision, or what ends where one is made in another thread.

        Returns:
            None where the caller is to ask, and to call `end`.
        """
        from concurrent.futures import Future

        with self._lock:
            tool, decision = self._made.get(request.definition.name, (None, None))
            if decision is not None and tool is request.tool:
                return decision
            question = self._open.get(id(request.tool))
            if question is None:
                mine: Future[None] = Future()
                # What waits for it with asyncio, and is cancelled, would cancel it otherwise.
                mine.set_running_or_notify_cancel()
                self._open[id(request.tool)] = mine
            return question

    def end(self, request: ApprovalRequest, decision: Decision) -> None:
        """Keep what was decided, if it holds for later calls, and let others go on."""
        with self._lock:
            if decision in (Decision.SESSION, Decision.NEVER):
                self._made[request.definition.name] = request.tool, decision
            question = self._open.pop(id(request.tool))
        question.set_result(None)


class Approver:
    """A callback that decides on calls, and its decisions."""

    def __init__(self, approve: Approve, decisions: Decisions | None = None) -> None:
        """Make one.

        Args:
            approve: called with an `ApprovalRequest`; it returns a `Decision`, or an awaitable of
                one. Where it fails, or returns something else, the call is refused.
            decisions: where decisions for later calls are kept; None for a place of its own.
        """
        self._approve = approve
        self._decisions = Decisions() if decisions is None else decisions

    def decide(self, request: ApprovalRequest, cancellation: Cancellation | None) -> Decision:
        """Return the decision that allows a call.

        While another thread asks about the tool, this one waits: what is decided there may hold
        for this call, too.

        Raises:
            ToolRefusedError: the call is not approved, or was cancelled while it waited.
        """
        name = request.definition.name
        while (found := self._decisions.find(request)) is not None:
            if isinstance(found, Decision):
                return _allowing(name, found)
            _wait(found, name, cancellation)
        decision = Decision.REFUSE
        try:
            decision = _checked(_awaited(self._approve(request)))
        except Exception as error:
            raise _failed(name, error) from error
        finally:
            self._decisions.end(request, decision)
        _check_wanted(name, cancellation)
        return _allowing(name, decision)

    async def decide_async(self, request: ApprovalRequest) -> Decision:
        """Return the decision as `decide` does, without blocking the event loop."""
        from asyncio import wrap_future

        name = request.definition.name
        while (found := self._decisions.find(request)) is not None:
            if isinstance(found, Decision):
                return _allowing(name, found)
            await wrap_future(found)
        decision = Decision.REFUSE
        try:
            answer = await in_thread(self._approve, request)
            decision = _checked(await answer if hasattr(answer, "__await__") else answer)
        except Exception as error:
            raise _failed(name, error) from error
        finally:
            self._decisions.end(request, decision)
        return _allowing(name, decision)


async def in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call a function in a thread; in line where the platform has no threads, as in Pyodide."""
    if sys.platform in ("emscripten", "wasi"):
        return function(*arguments, **named)
    # Imported here: it takes half as long to import as the whole package.
    from asyncio import to_thread

    return await to_thread(function, *arguments, **named)


def _allowing(name: str, decision: Decision) -> Decision:
    if decision in _REFUSALS:
        raise ToolRefusedError(name, _REFUSALS[decision])
    return decision


def _checked(decision: object) -> Decision:
    if not isinstance(decision, Decision):
        raise TypeError(f"a Decision was expected, not {type(decision).__name__}")
    return decision


def _failed(name: str, error: Exception) -> ToolRefusedError:
    if isinstance(error, ToolRefusedError):
        return error
    return ToolRefusedError(name, f"what decides on it failed with {type(error).__name__}")


def _awaited(answer: Any) -> Any:
    """Return what a callback returned, after awaiting it where it is to be awaited."""
    if not hasattr(answer, "__await__"):
        return answer
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_result(answer))
    if hasattr(answer, "close"):
        answer.close()
    raise RuntimeError("a callback is to be awaited, and only execute_async can in an event loop")


async def _result(answer: Awaitable[Any]) -> Any:
    return await answer


def _check_wanted(name: str, cancellation: Cancellation | None) -> None:
    if cancellation is not None and cancellation.requested:
        raise ToolRefusedError(name, "it was cancelled while it waited for approval")


def _wait(question: Future[None], name: str, cancellation: Cancellation | None) -> None:
    while True:
        _check_wanted(name, cancellation)
        try:
            return question.result(_PATIENCE)
        except TimeoutError:
            continue
