"""The registry: tools by name, and the calls of them.

It does not depend on WebAssembly. A tool's JSON Schema validates arguments before the tool runs.
"""

from __future__ import annotations

import time

# What `threading` hands out, and takes longer to import.
from _thread import RLock

from purewasm_plugins.errors import DuplicateToolError, InvalidArgumentsError, ToolNotFoundError
from purewasm_plugins.support.typed import Any, Callable, Iterable, Iterator, Mapping
from purewasm_plugins.tools.approval import ApprovalRequest, Approve, Approver, in_thread
from purewasm_plugins.tools.call_log import CallRecord, call_logger
from purewasm_plugins.tools.errors import ToolRefusedError
from purewasm_plugins.tools.model import (
    CancellableTool,
    Cancellation,
    ToolCall,
    ToolDefinition,
    ToolImpl,
    ToolResult,
)

__all__ = ["ToolRegistry", "schema_validator"]


#: What raises `InvalidArgumentsError` for a value that a schema forbids.
Check = Callable[[Any], None]

#: A tool, what checks its arguments, and what checks its output.
_Entry = tuple[ToolImpl, Check, Check | None]


class ToolRegistry:
    """Tools by name, in the order in which they were registered.

    registry = ToolRegistry()
    manager.register_all(registry)
    registry.execute(ToolCall("json_pretty", {"input": "{}"})).output
    """

    def __init__(self, *, approve: Approve | None = None) -> None:
        """Make a registry without tools.

        Args:
            approve: what decides on calls of tools whose definition `requires_approval`: a
                function, or a coroutine function, that is called with an `ApprovalRequest` and
                returns a `Decision`. Without it, such calls are refused.

        Hazards:
            The callback runs in the thread of the call, and in another one for `execute_async`.
            Two calls of one tool are asked about one after the other; those of two tools may be at
            the same time.
        """
        self._approver = None if approve is None else Approver(approve)
        #: Replaced as a whole: what iterates in another thread goes on with the old one.
        self._entries: dict[str, _Entry] = {}
        #: Held where entries are replaced; a tool may use the registry while it is registered.
        self._lock = RLock()

    def register(self, tool: ToolImpl, *, replace: bool = False) -> None:
        """Add a tool.

        Args:
            tool: what to run under the name of its definition.
            replace: put it in the place of an earlier tool of that name.

        Raises:
            DuplicateToolError: a tool of that name is registered, and `replace` is not set.
            InvalidArgumentsError: the tool's parameters, or its output schema, are no JSON Schema.
        """
        self.register_all((tool,), replace=replace)

    def register_all(self, tools: Iterable[ToolImpl], *, replace: bool = False) -> None:
        """Add several tools, or none of them where one cannot be added.

        Raises:
            DuplicateToolError, InvalidArgumentsError: as `register` does.
        """
        with self._lock:
            self._entries = self._entries | _entries(tools, {} if replace else self._entries)

    def exchange(self, names: Iterable[str], tools: Iterable[ToolImpl]) -> None:
        """Put tools in the place of others, at once: a call finds all old ones, or all new ones.

        Args:
            names: the tools that are removed. A new tool of such a name has the old one's place.
            tools: the new ones. Where one cannot be added, nothing changes.

        Raises:
            DuplicateToolError, InvalidArgumentsError: as `register` does.
        """
        removed = {*names}
        with self._lock:
            old = self._entries
            kept = {name: entry for name, entry in old.items() if name not in removed}
            left = kept | _entries(tools, kept)
            self._entries = {name: left[name] for name in (*old, *left) if name in left}

    def unregister(self, name: str) -> bool:
        """Remove a tool, and return whether there was one of that name."""
        with self._lock:
            old = self._entries
            self._entries = {other: entry for other, entry in old.items() if other != name}
        return name in old

    def get(self, name: str) -> ToolImpl | None:
        """Return the tool of that name, or None."""
        entry = self._entries.get(name)
        return None if entry is None else entry[0]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def definitions(self) -> list[ToolDefinition]:
        """Return the definitions of all tools."""
        return [entry[0].definition for entry in self._entries.values()]

    def to_openai_tools(self) -> list[dict[str, Any]]:
        """Return `tools` of OpenAI's chat completions API.

        A name that agents do not accept (anything but `[a-zA-Z_][a-zA-Z0-9_-]{0,63}`) is changed,
        so that no two are the same; `execute` finds the tool by the changed name, too.
        `tools.formats` has the formats of other APIs, and reads the calls.
        """
        from purewasm_plugins.tools.entries import openai_entry
        from purewasm_plugins.tools.names import agent_names

        entries = self._entries
        names = agent_names(entries)
        return [
            openai_entry(names[name], tool.definition.description, tool.definition.parameters)
            for name, (tool, _, _) in entries.items()
        ]

    def execute(
        self,
        call: ToolCall,
        *,
        cancellation: Cancellation | None = None,
        approver: Approver | None = None,
    ) -> ToolResult:
        """Run a tool.

        Args:
            call: the tool, and its arguments.
            cancellation: what another thread may end the call with, if it is a `CancellableTool`.
            approver: what decides on the call where the registry was made without `approve`.

        Returns:
            What the tool returned, with `duration_ms` stamped. A tool that raises has failed: the
            result has its exception. A call that was not approved has failed, too, with
            `ToolRefusedError` as the exception; it did not run.

        Raises:
            ToolNotFoundError: no tool has that name.
            InvalidArgumentsError: the arguments do not fit its schema, or cannot be read; it did
                not run.
        """
        record = self._record(call, cancellation)
        if record is None:
            return self._execute(call, cancellation, approver)
        try:
            result = self._execute(call, record.cancellation, approver)
        except BaseException as error:
            record.end(None, error)
            raise
        record.end(result)
        return result

    def _execute(
        self, call: ToolCall, cancellation: Cancellation | None, approver: Approver | None
    ) -> ToolResult:
        name, tool, check = self._checked(call)
        if tool.definition.requires_approval:
            try:
                request = _request(tool, call)
                self._deciding(name, approver).decide(request, cancellation)
            except ToolRefusedError as error:
                return _refused(name, error)
        return _run(name, tool, check, call, cancellation)

    async def execute_async(self, call: ToolCall) -> ToolResult:
        """Run a tool without blocking the event loop, as `execute` does.

        It runs in a thread; in line where the platform has no threads, as in Pyodide. Where the
        task that waits for it is cancelled, as `asyncio.wait_for` does after its timeout, a tool
        of a plugin ends within milliseconds, and the plugin is free for the next call. Another
        tool goes on in its thread, unless it is a `CancellableTool`.
        """
        cancellation = Cancellation()
        record = self._record(call, cancellation)
        try:
            result = await self._execute_async(call, cancellation)
        except BaseException as error:
            # The task was cancelled, or the coroutine closed.
            cancellation.request()
            if record is not None:
                record.end(None, error)
            raise
        if record is not None:
            record.end(result)
        return result

    async def _execute_async(self, call: ToolCall, cancellation: Cancellation) -> ToolResult:
        name, tool, check, result = await in_thread(self._begin, call, cancellation)
        if result is None:
            try:
                request = _request(tool, call)
                await self._deciding(name, None).decide_async(request)
            except ToolRefusedError as error:
                return _refused(name, error)
            result = await in_thread(_run, name, tool, check, call, cancellation)
        return result

    def _record(self, call: ToolCall, cancellation: Cancellation | None) -> CallRecord | None:
        """Return the record of a call for the log; None where nothing reads that."""
        logger = call_logger()
        if logger is None:
            return None
        try:
            name, tool, _, _ = self._find(call)
        except ToolNotFoundError:
            return CallRecord(logger, call, call.name, None, cancellation)
        return CallRecord(logger, call, name, tool, cancellation)

    def _begin(
        self, call: ToolCall, cancellation: Cancellation
    ) -> tuple[str, ToolImpl, Check | None, ToolResult | None]:
        """Return the tool of a call, its name, and the result where it needs no approval."""
        name, tool, check = self._checked(call)
        if tool.definition.requires_approval:
            return name, tool, check, None
        return name, tool, check, _run(name, tool, check, call, cancellation)

    def _checked(self, call: ToolCall) -> tuple[str, ToolImpl, Check | None]:
        """Return the tool of a call, its name, and what checks its output; check the arguments."""
        name, tool, validator, check = self._find(call)
        if call.problem is not None:
            raise InvalidArgumentsError(name, call.problem)
        validator(call.arguments)
        return name, tool, check

    def _find(self, call: ToolCall) -> tuple[str, ToolImpl, Check, Check | None]:
        """Return the tool of a call, its name, and what checks its arguments and its output."""
        entries = self._entries
        name = call.name if call.name in entries else _name_from_agent(call.name, entries)
        return name, *entries[name]

    def _deciding(self, name: str, other: Approver | None) -> Approver:
        """Return what decides on a call of a tool that needs approval."""
        approver = self._approver or other
        if approver is None:
            raise ToolRefusedError(name, "it needs approval, and there is nothing here to ask")
        return approver


def _run(
    name: str,
    tool: ToolImpl,
    check: Check | None,
    call: ToolCall,
    cancellation: Cancellation | None,
) -> ToolResult:
    """Run a tool on arguments that were checked."""
    started = time.perf_counter()
    try:
        if cancellation is not None and isinstance(tool, CancellableTool):
            result = tool.execute_cancellable(call.arguments, cancellation)
        else:
            result = tool.execute(call.arguments)
    except Exception as exception:
        error = f"{type(exception).__name__}: {exception}"
        result = ToolResult(name, success=False, output="", error=error, exception=exception)
    # Imported here: it takes longer than all that a plugin's first answer needs.
    from dataclasses import replace

    duration = (time.perf_counter() - started) * 1000
    if check is not None and result.success:
        result = _structured(result, check)
    return replace(result, duration_ms=duration)


def _structured(result: ToolResult, check: Check) -> ToolResult:
    """Return a result with the value of its output; a failed one where the output has no such."""
    from dataclasses import replace

    from purewasm_plugins.support.json_text import read_json

    try:
        value = read_json(result.output) if result.structured is None else result.structured
        check(value)
    except InvalidArgumentsError as error:
        details = error.details
    except ValueError as error:
        details = f"it is not JSON: {error}"
    else:
        return replace(result, structured=value)
    words = f"The output does not fit the schema that the tool declares: {details}"
    return replace(result, success=False, error=words, structured=None)


def _request(tool: ToolImpl, call: ToolCall) -> ApprovalRequest:
    grants = getattr(tool, "grants", ())
    return ApprovalRequest(call, tool.definition, _origin(tool), tuple(map(str, grants)), tool)


def _refused(name: str, error: ToolRefusedError) -> ToolResult:
    return ToolResult(name, success=False, output="", error=str(error), exception=error)


def _entries(tools: Iterable[ToolImpl], taken: Mapping[str, _Entry]) -> dict[str, _Entry]:
    """Return the entries of tools by name; `ToolRegistry.register` tells the errors.

    Args:
        tools: the tools.
        taken: what has the names that they must not have.
    """
    found: dict[str, _Entry] = {}
    for tool in tools:
        definition = tool.definition
        name = definition.name
        registered = found.get(name) or taken.get(name)
        if registered is not None:
            raise DuplicateToolError(name, _origin(registered[0]), _origin(tool))
        schema = definition.output_schema
        output = None if schema is None else schema_validator(name, schema, "output")
        found[name] = tool, schema_validator(name, definition.parameters), output
    return found


def _name_from_agent(name: str, tools: Iterable[str]) -> str:
    """Return the registered name of the tool that a format for agents renamed.

    Raises:
        ToolNotFoundError: there is no such tool.
    """
    from purewasm_plugins.tools.names import agent_names

    names = tuple(tools)
    for registered, changed in agent_names(names).items():
        if changed == name:
            return registered
    raise ToolNotFoundError(name, names)


def _origin(tool: ToolImpl) -> str | None:
    """Return what a tool is from, in words, if it says so."""
    origin = getattr(tool, "origin", None)
    return origin if isinstance(origin, str) else None


def schema_validator(
    tool: str, schema: Mapping[str, Any], what: str = "arguments"
) -> Callable[[Any], None]:
    """Return a function that raises `InvalidArgumentsError` for arguments that a schema forbids.

    A plugin may choose the schema: checking opens no other document, and its time is bounded.

    Args:
        tool: the name of the tool, for the error.
        schema: a JSON Schema.
        what: what it is of, for errors.

    Raises:
        InvalidArgumentsError: it is no JSON Schema, or uses something that is not supported.
    """
    # Imported here: a plugin's first answer does not wait for it.
    from purewasm_plugins.tools.schema.schemas import Schema

    try:
        checked = Schema(schema)
    except ValueError as error:
        kind = "" if what == "arguments" else f"{what} "
        raise InvalidArgumentsError(tool, f"its {kind}JSON Schema is invalid: {error}") from None

    def validator(arguments: Any) -> None:
        try:
            checked.check(dict(arguments) if isinstance(arguments, Mapping) else arguments, what)
        except ValueError as error:
            raise InvalidArgumentsError(tool, str(error)) from None

    return validator
