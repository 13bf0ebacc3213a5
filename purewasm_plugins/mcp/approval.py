"""Approval of calls by the person at the client: elicitation, as each era has it.

A session is asked with a request of the server, `elicitation/create`. A stateless client gets a
result that wants input, and calls again with the answer.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from purewasm_plugins.errors import escape_controls
from purewasm_plugins.mcp.messages import JsonObject, ProtocolError, notification
from purewasm_plugins.mcp.versions import INVALID_PARAMS, MISSING_CAPABILITY
from purewasm_plugins.tools import (
    ApprovalRequest,
    Cancellation,
    Decision,
    Decisions,
    ToolImpl,
    ToolRefusedError,
)

__all__ = ["OpenQuestions", "Questions", "SessionApproval", "StatelessApproval"]

#: The method, and the name of the one input that a result wants.
_METHOD = "elicitation/create"
_INPUT = "approval"

#: Seconds between two checks whether a call that waits for an answer was cancelled.
_PATIENCE = 0.05

#: Questions to stateless clients that are open; one more ends the oldest.
_MOST_OPEN = 1000

#: Characters of the arguments that a question shows, and lines about what a tool may touch.
_MOST_SHOWN = 2000
_MOST_GRANTS = 20

#: What a session is offered, and a call that stands alone.
_SESSION = (Decision.ONCE, Decision.SESSION, Decision.REFUSE, Decision.NEVER)
_ALONE = (Decision.ONCE, Decision.REFUSE)


class Questions:
    """The requests of the server that a session has not answered yet, and its decisions.

    Attributes:
        elicits: whether the client can ask a person.
        decisions: what was decided for the rest of the session.
    """

    def __init__(self) -> None:
        self.elicits = False
        self.decisions = Decisions()
        self._lock = threading.Lock()
        self._asked = 0
        self._open: dict[str, Future[JsonObject]] = {}

    def open(self) -> tuple[str, Future[JsonObject]]:
        """Return the id of a new request, and what gets the response."""
        answer: Future[JsonObject] = Future()
        with self._lock:
            self._asked += 1
            id = f"purewasm-{self._asked}"
            self._open[id] = answer
        return id, answer

    def answer(self, response: JsonObject) -> None:
        """Take a response; one that belongs to no request is dropped."""
        id = response.get("id")
        with self._lock:
            answer = self._open.pop(id, None) if isinstance(id, str) else None
        if answer is not None:
            answer.set_result(response)

    def close(self, id: str) -> None:
        """Wait for a response no more."""
        with self._lock:
            self._open.pop(id, None)


class SessionApproval:
    """The callback that asks the person at a client that began with `initialize`."""

    def __init__(
        self,
        questions: Questions,
        send: Callable[[JsonObject], None],
        cancellation: Cancellation,
        patience: float,
    ) -> None:
        """Prepare for one call.

        Args:
            questions: those of the client.
            send: what brings a message to it.
            cancellation: that of the call.
            patience: seconds for the answer.
        """
        self._questions = questions
        self._send = send
        self._cancellation = cancellation
        self._patience = patience

    def __call__(self, request: ApprovalRequest) -> Decision:
        """Ask, and wait for the answer.

        Raises:
            ToolRefusedError: there is none.
        """
        name = request.definition.name
        if not self._questions.elicits:
            details = "it needs approval, and this client cannot ask a person for it"
            raise ToolRefusedError(name, details)
        id, answer = self._questions.open()
        self._send(
            {"jsonrpc": "2.0", "id": id, "method": _METHOD, "params": _question(request, _SESSION)}
        )
        latest = time.monotonic() + self._patience
        while time.monotonic() < latest and not self._cancellation.requested:
            try:
                return _decision(answer.result(_PATIENCE).get("result"), _SESSION)
            except TimeoutError:
                continue
        self._questions.close(id)
        self._send(notification("notifications/cancelled", {"requestId": id}))
        raise ToolRefusedError(name, "it needs approval, and the question was not answered")


class OpenQuestions:
    """The calls of stateless clients that a person is asked about.

    The state that a client sends back is a random word, which holds once, for that call of that
    tool, and for a time.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._open: OrderedDict[str, tuple[ToolImpl, str, float]] = OrderedDict()

    def add(self, request: ApprovalRequest) -> str:
        """Return the state of a new question."""
        state = secrets.token_urlsafe(24)
        latest = time.monotonic() + self._patience
        with self._lock:
            self._open[state] = request.tool, _digest(request), latest
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
        return state

    def take(self, state: str, request: ApprovalRequest) -> bool:
        """Return whether a question about this call has that state, and end the question."""
        with self._lock:
            tool, digest, latest = self._open.pop(state, (None, "", 0.0))
        return tool is request.tool and digest == _digest(request) and time.monotonic() < latest


class StatelessApproval:
    """The callback that has a client of a stateless revision ask the person.

    Attributes:
        wanted: the result that wants input, where the call did not bring it.
        error: why the call cannot be decided on, or None.
    """

    def __init__(self, questions: OpenQuestions, params: JsonObject, *, elicits: bool) -> None:
        """Prepare for one call.

        Args:
            questions: the open ones of the server.
            params: those of the request.
            elicits: whether the client can ask a person.
        """
        self.wanted: JsonObject | None = None
        self.error: ProtocolError | None = None
        self._questions = questions
        self._params = params
        self._elicits = elicits

    def __call__(self, request: ApprovalRequest) -> Decision:
        """Return the decision that came with the call; refuse it for now where none came."""
        if not self._elicits:
            message = "The tool needs approval, for which the client must have elicitation"
            data: JsonObject = {"requiredCapabilities": {"elicitation": {"form": {}}}}
            self.error = ProtocolError(MISSING_CAPABILITY, message, data)
            return Decision.REFUSE
        state = self._params.get("requestState")
        responses = self._params.get("inputResponses", {})
        if not isinstance(state, str | None) or not isinstance(responses, dict):
            self.error = _invalid('"requestState" must be a string, "inputResponses" an object')
            return Decision.REFUSE
        if state is not None:
            if not self._questions.take(state, request):
                details = "it is of another call, was used, or is too old; call without it"
                self.error = _invalid(f'"requestState": {details}')
                return Decision.REFUSE
            if _INPUT in responses:
                return _decision(responses[_INPUT], _ALONE)
        self.wanted = {
            "resultType": "input_required",
            "inputRequests": {_INPUT: {"method": _METHOD, "params": _question(request, _ALONE)}},
            "requestState": self._questions.add(request),
        }
        return Decision.REFUSE


def _invalid(details: str) -> ProtocolError:
    return ProtocolError(INVALID_PARAMS, f"Invalid params: {details}")


def _digest(request: ApprovalRequest) -> str:
    text = json.dumps([request.call.name, dict(request.call.arguments)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _decision(response: Any, offered: tuple[Decision, ...]) -> Decision:
    """Return the decision of a person; what is no answer refuses."""
    if isinstance(response, Mapping) and response.get("action") == "accept":
        content = response.get("content")
        chosen = content.get("decision") if isinstance(content, Mapping) else None
        for decision in offered:
            if decision.value == chosen:
                return decision
    return Decision.REFUSE


def _question(request: ApprovalRequest, offered: tuple[Decision, ...]) -> JsonObject:
    """Return the parameters of a request for a form."""
    origin = "" if request.origin is None else f" of {request.origin}"
    arguments = json.dumps(dict(request.call.arguments), ensure_ascii=False)
    lines = [f"Run the tool '{request.call.name}'{origin}?", f"Arguments: {_shown(arguments)}"]
    if request.grants:
        lines.append("What it may touch:")
        lines += [f"- {_shown(grant)}" for grant in request.grants[:_MOST_GRANTS]]
        more = len(request.grants) - _MOST_GRANTS
        lines += [f"- {more} more"] if more > 0 else []
    words = {
        Decision.ONCE: "run it",
        Decision.SESSION: "run it, and all later calls of this tool",
        Decision.REFUSE: "refuse it",
        Decision.NEVER: "refuse it, and all later calls of this tool",
    }
    field: JsonObject = {
        "type": "string",
        "title": "Decision",
        "description": "; ".join(f"{one.value}: {words[one]}" for one in offered),
        "enum": [one.value for one in offered],
    }
    return {
        "message": "\n".join(map(escape_controls, lines)),
        "requestedSchema": {
            "type": "object",
            "properties": {"decision": field},
            "required": ["decision"],
        },
    }


def _shown(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
