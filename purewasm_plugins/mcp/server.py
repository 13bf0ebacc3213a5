"""The server: what each message of a client means, whatever brings it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from purewasm_plugins.mcp.approval import OpenQuestions, StatelessApproval
from purewasm_plugins.mcp.calls import Outlet, Peer, PluginLogs, RunningCall, Subscription
from purewasm_plugins.mcp.catalog import list_page
from purewasm_plugins.mcp.limits import ServerLimits
from purewasm_plugins.mcp.messages import (
    JsonObject,
    Message,
    Notification,
    ProtocolError,
    Request,
    Response,
    error_response,
    notification,
    read_message,
    read_value,
    result_response,
)
from purewasm_plugins.mcp.results import (
    CAPABILITIES,
    Wishes,
    can_elicit,
    client_name,
    complete,
    initialize_result,
    is_modern,
    legacy_wishes,
    log_level,
    modern_wishes,
)
from purewasm_plugins.mcp.versions import (
    BATCH_VERSION,
    ELICITING_VERSIONS,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
)
from purewasm_plugins.plugin.output import LOGGER
from purewasm_plugins.tools import ToolRegistry

__all__ = ["McpServer"]

_LOGGER = logging.getLogger("purewasm_plugins.mcp")

#: Characters of a client's text that an error repeats.
_SHOWN = 100


class McpServer:
    """A registry as a server of the Model Context Protocol.

        server = McpServer(registry)
        serve_stdio(server)

    Tools can be added and removed while it runs; `tools_changed` tells the clients of it.

    Attributes:
        registry: the tools.
        limits: what clients may use.
        private: whether what a client gets is for that client alone, as with a token.
    """

    def __init__(
        self,
        registry: ToolRegistry,
        *,
        instructions: str | None = None,
        limits: ServerLimits | None = None,
        private: bool = False,
    ) -> None:
        """Make a server; a transport serves it: `serve_stdio`, or `HttpServer`.

        Args:
            registry: the tools. Where it was made without `approve`, the person at the client is
                asked about calls that need approval.
            instructions: a text for models on the use of the tools, or None.
            limits: what clients may use; None for the defaults.
            private: whether caches must not share what a client gets.
        """
        self.registry = registry
        self.limits = limits or ServerLimits()
        self.private = private
        self._instructions = instructions
        self._logs = PluginLogs()
        self._questions = OpenQuestions(self.limits.approval)
        self._places = threading.BoundedSemaphore(self.limits.calls)
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []

    def tools_changed(self) -> None:
        """Tell all clients that listen that the list of tools has changed. Any thread may do it."""
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def listen(self, outlet: Outlet) -> Callable[[], None]:
        """Send changes of the list of tools to a client that began with `initialize`.

        Returns:
            What ends it.

        Raises:
            ProtocolError: too many clients listen.
        """

        def changed() -> None:
            outlet.send(notification("notifications/tools/list_changed"))

        self._add(changed)
        return lambda: self._remove(changed)

    @contextmanager
    def logs(self) -> Iterator[None]:
        """Bring log messages of plugins to the clients that want them, within this context."""
        logger = logging.getLogger(LOGGER)
        level = logger.level
        logger.addHandler(self._logs)
        if not logger.isEnabledFor(logging.INFO):
            logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(level)
            logger.removeHandler(self._logs)

    def receive(self, data: bytes, peer: Peer, outlet: Outlet) -> None:
        """Handle a message, or a batch where the client may send one.

        Args:
            data: the bytes of the message.
            peer: the client.
            outlet: what its responses go to, at once or later.
        """
        try:
            value = read_value(data)
            if isinstance(value, list):
                self.receive_batch(value, peer, outlet)
            else:
                self.answer(read_message(value), peer, outlet)
        except ProtocolError as error:
            outlet.send(error_response(error))

    def receive_batch(self, values: list[Any], peer: Peer, outlet: Outlet) -> None:
        """Handle a batch: its messages are answered one by one.

        Raises:
            ProtocolError: the client may send none, or it is empty or too large.
        """
        if peer.version != BATCH_VERSION:
            raise ProtocolError(
                INVALID_REQUEST, f"Invalid request: only {BATCH_VERSION} has batches"
            )
        if not 0 < len(values) <= self.limits.batch:
            details = f"a batch has 1 to {self.limits.batch} messages, and not {len(values)}"
            raise ProtocolError(INVALID_REQUEST, f"Invalid request: {details}")
        for value in values:
            try:
                self.answer(read_message(value), peer, outlet)
            except ProtocolError as error:
                outlet.send(error_response(error))

    def answer(self, message: Message, peer: Peer, outlet: Outlet) -> None:
        """Handle one message: a request is answered, at once or later from another thread."""
        if isinstance(message, Notification):
            if message.method == "notifications/cancelled":
                peer.cancel(message.params.get("requestId"))
            return
        if isinstance(message, Response):
            peer.questions.answer(message.message)
            return
        try:
            modern = is_modern(message.params) or not (
                peer.version is not None or message.method in ("initialize", "ping")
            )
            result = (self._modern if modern else self._legacy)(message, peer, outlet)
        except ProtocolError as error:
            error.id = message.id
            outlet.send(error_response(error))
            return
        except Exception:
            # A tool's own definition, or a fault here, must not end the server.
            _LOGGER.exception("a request failed")
            fault = ProtocolError(INTERNAL_ERROR, "Internal error", id=message.id)
            outlet.send(error_response(fault))
            return
        if result is not None:
            outlet.send(result_response(message.id, result))

    def _modern(self, request: Request, peer: Peer, outlet: Outlet) -> JsonObject | None:
        """Return the result of a request of a stateless revision; None where it comes later."""
        wishes = modern_wishes(request.params)
        scope = "private" if self.private else "public"
        match request.method:
            case "server/discover":
                found: JsonObject = {
                    "supportedVersions": list(MODERN_VERSIONS),
                    "capabilities": CAPABILITIES,
                }
                if self._instructions is not None:
                    found["instructions"] = self._instructions
                return complete(found, cache_scope=scope)
            case "tools/list":
                return complete(self._page(request.params), cache_scope=scope)
            case "tools/call":
                self._call(request, wishes, peer, outlet)
            case "subscriptions/listen":
                self._subscribe(request, peer, outlet)
            case method:
                raise _not_found(method)
        return None

    def _legacy(self, request: Request, peer: Peer, outlet: Outlet) -> JsonObject | None:
        """Return the result of a request of an earlier revision; None where it comes later."""
        wishes = legacy_wishes(request.params, peer.log_level, peer.client)
        match request.method:
            case "initialize":
                if peer.version is not None:
                    raise ProtocolError(INVALID_REQUEST, "Invalid request: initialized already")
                result = initialize_result(request.params, self._instructions)
                peer.version = result["protocolVersion"]
                peer.client = client_name(request.params.get("clientInfo"))
                capabilities = request.params.get("capabilities")
                peer.questions.elicits = peer.version in ELICITING_VERSIONS and can_elicit(
                    capabilities
                )
                return result
            case "ping":
                return {}
            case "logging/setLevel":
                peer.log_level = log_level(request.params.get("level"))
                return {}
            case "tools/list":
                return self._page(request.params)
            case "tools/call":
                self._call(request, wishes, peer, outlet)
            case method:
                raise _not_found(method)
        return None

    def _page(self, params: JsonObject) -> JsonObject:
        cursor = params.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise ProtocolError(INVALID_PARAMS, "Invalid cursor: it must be a string")
        return list_page(self.registry, cursor, self.limits.page)

    def _call(self, request: Request, wishes: Wishes, peer: Peer, outlet: Outlet) -> None:
        name = request.params.get("name")
        arguments = request.params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            details = '"name" must be a string, and "arguments" an object'
            raise ProtocolError(INVALID_PARAMS, f"Invalid params: {details}")

        if not self._places.acquire(blocking=False):
            raise _busy(f"{self.limits.calls} calls run; try again when one has ended")
        approval = None
        if wishes.modern:
            approval = StatelessApproval(self._questions, request.params, elicits=wishes.elicits)
        try:
            RunningCall(
                self.registry,
                request,
                name,
                arguments,
                wishes,
                outlet,
                self._logs,
                peer,
                approval,
                self.limits.approval,
                self._places.release,
            ).start()
        except ProtocolError:
            self._places.release()
            raise
        except RuntimeError:
            self._places.release()
            raise _busy("there can be no more threads") from None

    def _subscribe(self, request: Request, peer: Peer, outlet: Outlet) -> None:
        wanted = request.params.get("notifications")
        tools = wanted.get("toolsListChanged", False) if isinstance(wanted, dict) else None
        if not isinstance(tools, bool):
            details = '"notifications" must be an object, and "toolsListChanged" in it a boolean'
            raise ProtocolError(INVALID_PARAMS, f"Invalid params: {details}")

        def ended() -> None:
            peer.end(request.id)
            self._remove(subscription.changed)

        subscription = Subscription(request, tools, outlet, ended)
        peer.begin(request.id, subscription)
        try:
            self._add(subscription.changed, subscription.acknowledge)
        except ProtocolError:
            peer.end(request.id)
            raise

    def _add(self, listener: Callable[[], None], first: Callable[[], None] | None = None) -> None:
        """Call a listener at each change from now on, and before that `first`."""
        with self._lock:
            if len(self._listeners) >= self.limits.subscriptions:
                raise _busy(f"{self.limits.subscriptions} streams of changes are open")
            if first is not None:
                first()
            self._listeners.append(listener)

    def _remove(self, listener: Callable[[], None]) -> None:
        """Call a listener no more, if it was added."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)


def _not_found(method: str) -> ProtocolError:
    return ProtocolError(METHOD_NOT_FOUND, f"Method not found: {method[:_SHOWN]}")


def _busy(details: str) -> ProtocolError:
    return ProtocolError(INTERNAL_ERROR, f"The server is busy: {details}")
