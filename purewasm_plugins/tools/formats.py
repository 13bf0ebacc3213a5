"""The formats of tools for agents: those of OpenAI, Anthropic, Gemini, Ollama and MCP.

A format has three parts: the list of tools that a request to a model has, the calls that the
model's answer has, and the messages that return the results to the model.

    registry ─tools→ request    answer ─calls→ ToolCall ─registry→ ToolResult ─messages→ request
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from purewasm_plugins.errors import ToolError, ToolFormatError, ToolNotFoundError
from purewasm_plugins.support.json_text import read_json
from purewasm_plugins.tools.entries import openai_function
from purewasm_plugins.tools.model import ToolCall, ToolDefinition, ToolResult
from purewasm_plugins.tools.names import agent_name, agent_names
from purewasm_plugins.tools.registry import ToolRegistry
from purewasm_plugins.tools.schema.dialects import (
    GEMINI,
    MODEL,
    OLLAMA,
    PROTOCOL,
    WRAPPER,
    Dialect,
    is_wrapped,
    utf8,
    written,
)

__all__ = [
    "FORMATS",
    "MCP",
    "Anthropic",
    "Gemini",
    "Ollama",
    "OpenAI",
    "OpenAIResponses",
    "ToolFormat",
    "result_text",
]

#: What a call in a model's answer has: the tool's name, the arguments, and the call's id.
Found = tuple[Any, Any, Any]


class ToolFormat(ABC):
    """The tools of a registry in the format of one API.

    The registry may change at any time: it is read at each call of a method. Names that some API
    refuses are those of `tools.names`; schemas are written as `tools.schema.dialects` describes.

    Attributes:
        registry: the tools.
        name: the name of the format.
        dialect: what the API accepts of JSON Schema.
        most: the most tools that the API accepts, or None.

    Example:
        >>> from purewasm_plugins import ToolRegistry, WasmPlugin, example
        >>> registry = ToolRegistry()
        >>> WasmPlugin.load(example("zig_text")).register_into_registry(registry)
        >>> anthropic = Anthropic(registry)
        >>> [tool["name"] for tool in anthropic.tools()]
        ['levenshtein', 'sort_lines']
        >>> call = {
        ...     "type": "tool_use",
        ...     "id": "toolu_1",
        ...     "name": "levenshtein",
        ...     "input": {"a": "kitten", "b": "sitting"},
        ... }
        >>> (message,) = anthropic.answer({"role": "assistant", "content": [call]})
        >>> message["content"][0]["content"]
        '3'
    """

    name: ClassVar[str]
    dialect: ClassVar[Dialect] = MODEL
    most: ClassVar[int | None] = None

    def __init__(self, registry: ToolRegistry) -> None:
        self.registry = registry

    def tools(self, names: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Return the list of tools of a request.

        Args:
            names: the registered names of the tools to list; None for all.

        Raises:
            ToolNotFoundError: the registry has no tool of a name.
            ToolFormatError: the API does not accept so many tools.
        """
        # Read once: another thread may change the registry.
        definitions = {one.name: one for one in self.registry.definitions()}
        chosen = list(definitions if names is None else names)
        if self.most is not None and len(chosen) > self.most:
            details = f"it has {self.most} tools at most, not {len(chosen)}: choose them with names"
            raise ToolFormatError(self.name, details)
        agents = agent_names(definitions)
        for name in chosen:
            if name not in definitions:
                raise ToolNotFoundError(name, tuple(definitions))
        return self._listed([self.tool(definitions[name], agents[name]) for name in chosen])

    def tool(self, definition: ToolDefinition, name: str | None = None) -> dict[str, Any]:
        """Return the entry of one tool in the list.

        Args:
            definition: the tool's.
            name: a name that agents accept; None for `agent_name` of the tool's own.
        """
        description, schema = written(definition.description, definition.parameters, self.dialect)
        return self._entry(name or agent_name(definition.name), description, schema)

    def calls(self, reply: Any) -> list[ToolCall]:
        """Return the calls of tools that a model asks for, in their order.

        Arguments that cannot be read are no error here: the call has a `problem`, and the registry
        refuses it in words that the model can act on.

        Args:
            reply: the model's message as its API gives it: JSON as Python reads it, or the object
                of the vendor's package.

        Raises:
            ToolFormatError: it is no message of this format.
        """
        calls = []
        for name, given, id in self._found(reply):
            if not isinstance(name, str):
                raise self._wrong("the name of a tool", "a string", name)
            if id is not None and not isinstance(id, str):
                raise self._wrong("the id of a call", "a string", id)
            calls.append(self.call(name, given, id))
        return calls

    def call(self, name: str, arguments: Any, id: str | None = None) -> ToolCall:
        """Return one call, for frameworks that read the model's message themselves.

        Args:
            name: the name of the tool, as the list has it.
            arguments: a mapping, or JSON as text.
            id: the call's id, if it has one.
        """
        read, problem = _arguments(arguments)
        tool = self.registry.get(name)
        if tool is None:
            for registered, agent in agent_names(self.registry).items():
                if agent == name:
                    tool = self.registry.get(registered)
        if tool is not None and is_wrapped(tool.definition.parameters, self.dialect):
            read, problem = _unwrapped(read, problem)
        return ToolCall(name, read, id, problem)

    @abstractmethod
    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return the messages that tell the model the results.

        Args:
            answers: the calls of one answer of the model, and the result of each.
        """

    def run(self, call: ToolCall) -> ToolResult:
        """Run a call. A tool that does not exist, and wrong arguments, are failed results, too."""
        try:
            return self.registry.execute(call)
        except ToolError as error:
            return self._failed(call, error)

    async def run_async(self, call: ToolCall) -> ToolResult:
        """Run a call as `run` does, without blocking the event loop."""
        try:
            return await self.registry.execute_async(call)
        except ToolError as error:
            return self._failed(call, error)

    def answer(self, reply: Any) -> list[dict[str, Any]]:
        """Run all calls of a model's message, one after the other.

        Args:
            reply: as for `calls`.

        Returns:
            The messages with the results, to append to the conversation after the model's own; none
            where the model calls no tool.

        Raises:
            ToolFormatError: it is no message of this format.
        """
        return self.messages([(call, self.run(call)) for call in self.calls(reply)])

    async def answer_async(self, reply: Any) -> list[dict[str, Any]]:
        """Run all calls of a model's message at the same time, as `answer` does.

        Calls of one plugin wait for each other. Cancelling the task ends all of them.
        """
        # Imported here: it takes half as long to import as the whole package.
        import asyncio

        calls = self.calls(reply)
        results = await asyncio.gather(*map(self.run_async, calls))
        return self.messages(zip(calls, results, strict=True))

    @abstractmethod
    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of a tool whose schema is written in the dialect."""

    def _listed(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the list of tools."""
        return tools

    @abstractmethod
    def _found(self, reply: Any) -> Iterator[Found]:
        """Yield the calls of a model's message."""

    def _failed(self, call: ToolCall, error: ToolError) -> ToolResult:
        if isinstance(error, ToolNotFoundError):
            # The model knows these names.
            error = ToolNotFoundError(call.name, tuple(agent_names(self.registry).values()))
        return ToolResult(call.name, success=False, output="", error=str(error), exception=error)

    def _list(self, value: Any, words: str) -> Iterable[Any]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self._wrong(words, "an array", value)
        return value

    def _wrong(self, words: str, form: str, value: Any) -> ToolFormatError:
        details = f"{words} must be {form}, not {type(value).__name__}"
        return ToolFormatError(self.name, details)


class OpenAI(ToolFormat):
    """OpenAI's chat completions, and the many servers that have the same API.

    A model's message is `response.choices[0].message`.
    """

    name = "openai"
    most: ClassVar[int | None] = 128

    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return openai_function(name, description, schema)

    def _found(self, reply: Any) -> Iterator[Found]:
        for call in self._list(_field(reply, "tool_calls"), "'tool_calls'"):
            function = _field(call, "function")
            if function is not None:
                yield _field(function, "name"), _field(function, "arguments"), _field(call, "id")

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return a message of the role `tool` for each result."""
        return [
            {"role": "tool", "tool_call_id": call.id or "", "content": result_text(result)}
            for call, result in answers
        ]


class OpenAIResponses(ToolFormat):
    """OpenAI's responses.

    A model's message is the response, or its `output`. The schemas are not `strict`: few have the
    form that OpenAI demands for it.
    """

    name = "openai-responses"
    most: ClassVar[int | None] = 128

    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "function",
            "name": name,
            "description": description,
            "parameters": schema,
            "strict": False,
        }

    def _found(self, reply: Any) -> Iterator[Found]:
        items = reply if isinstance(reply, list | tuple) else _field(reply, "output")
        for item in self._list(items, "'output'"):
            if _field(item, "type") == "function_call":
                yield _field(item, "name"), _field(item, "arguments"), _field(item, "call_id")

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return an item of the next `input` for each result."""
        return [
            {
                "type": "function_call_output",
                "call_id": call.id or "",
                "output": result_text(result),
            }
            for call, result in answers
        ]


class Anthropic(ToolFormat):
    """Anthropic's messages. A model's message is the response of `messages.create`."""

    name = "anthropic"

    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "description": description, "input_schema": schema}

    def _found(self, reply: Any) -> Iterator[Found]:
        content = _field(reply, "content")
        for block in () if isinstance(content, str) else self._list(content, "'content'"):
            if _field(block, "type") == "tool_use":
                yield _field(block, "name"), _field(block, "input"), _field(block, "id")

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return one message with all results: the API demands that they are together."""
        blocks = [
            {
                "type": "tool_result",
                "tool_use_id": call.id or "",
                "content": _words(result),
                "is_error": not result.success,
            }
            for call, result in answers
        ]
        return [{"role": "user", "content": blocks}] if blocks else []


class Gemini(ToolFormat):
    """Gemini's contents. A model's message is `response.candidates[0].content`."""

    name = "gemini"
    dialect = GEMINI

    def tool(self, definition: ToolDefinition, name: str | None = None) -> dict[str, Any]:
        """Return the entry of one tool, with the schema of its output where that is an object's."""
        output = _output(definition, self.dialect, "responseJsonSchema")
        return super().tool(definition, name) | output

    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "description": description, "parametersJsonSchema": schema}

    def _listed(self, tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"functionDeclarations": tools}] if tools else []

    def _found(self, reply: Any) -> Iterator[Found]:
        for part in self._list(_field(reply, "parts"), "'parts'"):
            call = _field(part, "functionCall", "function_call")
            if call is not None:
                yield _field(call, "name"), _field(call, "args"), _field(call, "id")

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return one content with all results."""
        parts = []
        for call, result in answers:
            response = {
                "name": call.name,
                "response": {"output" if result.success else "error": _words(result)},
            }
            parts.append({"functionResponse": response | _id(call, "id")})
        return [{"role": "user", "parts": parts}] if parts else []


class Ollama(OpenAI):
    """Ollama's chat. A model's message is `response.message`.

    The keywords are those that its Python package passes on.
    """

    name = "ollama"
    most = None
    dialect = OLLAMA

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return a message of the role `tool` for each result."""
        return [
            {"role": "tool", "tool_name": call.name, "content": result_text(result)}
            | _id(call, "tool_call_id")
            for call, result in answers
        ]


class MCP(ToolFormat):
    """The Model Context Protocol, as its servers have it.

    `tools` is that of the result of `tools/list`. A message is the `params` of `tools/call`, or the
    whole request, and its answer is the one result.
    """

    name = "mcp"
    dialect = PROTOCOL

    def tool(self, definition: ToolDefinition, name: str | None = None) -> dict[str, Any]:
        """Return the entry of one tool in the list, as `ToolFormat.tool` does, and more.

        It has annotations, and `outputSchema` where that is of an object: older clients accept no
        other.
        """
        entry = super().tool(definition, name) | _output(definition, self.dialect, "outputSchema")
        return entry | (
            {"annotations": dict(definition.annotations)} if definition.annotations else {}
        )

    def _entry(self, name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "description": description, "inputSchema": schema}

    def _found(self, reply: Any) -> Iterator[Found]:
        call = _field(reply, "params") or reply
        yield _field(call, "name"), _field(call, "arguments"), None

    def messages(self, answers: Iterable[tuple[ToolCall, ToolResult]]) -> list[dict[str, Any]]:
        """Return the result of each request."""
        return [
            {
                "content": [{"type": "text", "text": _words(result)}],
                "isError": not result.success,
            }
            | (
                {"structuredContent": result.structured}
                if isinstance(result.structured, dict)
                else {}
            )
            for _, result in answers
        ]


#: The formats by their names.
FORMATS: Mapping[str, type[ToolFormat]] = {
    format.name: format for format in (OpenAI, OpenAIResponses, Anthropic, Gemini, Ollama, MCP)
}


def _field(value: Any, *names: str) -> Any:
    """Return a field of an object in JSON, or of an object of a vendor's package."""
    for name in names:
        found = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
        if found is not None:
            return found
    return None


def _output(definition: ToolDefinition, dialect: Dialect, key: str) -> dict[str, Any]:
    """Return the field with the schema of a tool's output, if it is an object's."""
    schema = definition.output_schema
    if schema is None or schema.get("type") != "object" or is_wrapped(schema, dialect):
        return {}
    return {key: written("", schema, dialect)[1]}


def _id(call: ToolCall, key: str) -> dict[str, Any]:
    return {} if call.id is None else {key: call.id}


def _arguments(given: Any) -> tuple[Mapping[str, Any], str | None]:
    """Read the arguments of a call, and return them and why they cannot be read."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return {}, None
    if isinstance(given, str):
        try:
            given = read_json(given)
        except ValueError as error:
            return {}, f"the arguments are not JSON: {error}"
    if isinstance(given, Mapping):
        return given, None
    return {}, f"the arguments must be a JSON object, not {type(given).__name__}"


def _unwrapped(
    arguments: Mapping[str, Any], problem: str | None
) -> tuple[Mapping[str, Any], str | None]:
    """Return the arguments in `WRAPPER`; all where the model left it out."""
    if problem is None and list(arguments) == [WRAPPER]:
        return _arguments(arguments[WRAPPER])
    return arguments, problem


def _words(result: ToolResult) -> str:
    """Return the output of a tool, or why it failed."""
    if result.success:
        return utf8(result.output)
    return utf8("\n".join(filter(None, (result.error or "the tool failed", result.output))))


def result_text(result: ToolResult) -> str:
    """Return a result as one text, for APIs with no other place for a failure.

    Returns:
        The tool's output, or "Error: " and why it failed.
    """
    return _words(result) if result.success else f"Error: {_words(result)}"
