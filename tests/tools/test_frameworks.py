"""The adapters of the chapter, each with the real package and a scripted model.

The packages are heavy: each test is skipped where its package is not installed.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from purewasm_plugins import ToolRegistry, WasmPlugin, example
from tests.conftest import ROOT
from tests.documents import Document

CHAPTER = Document(ROOT / "purewasm_plugins" / "tools" / "TOOLS.md")

WORDS = {"a": "kitten", "b": "sitting"}
REFUSED = "Error: Invalid arguments for tool 'levenshtein': arguments must have ['b']"


@pytest.fixture
def registry() -> ToolRegistry:
    registry = ToolRegistry()
    WasmPlugin.load(example("zig_text")).register_into_registry(registry)
    return registry


def source(name: str) -> str:
    """Return the block of the chapter that defines a function."""
    (found,) = [block.text for block in CHAPTER.blocks("py") if f"def {name}(" in block.text]
    return found


def adapter(name: str, package: str) -> Any:
    """Return a function of the chapter; skip the test where its package is not installed."""
    pytest.importorskip(package)
    namespace: dict[str, Any] = {}
    exec(source(name), namespace)
    return namespace[name]


@pytest.mark.parametrize("name", ["pydantic_tools", "langchain_tools", "agents_tools"])
def test_an_adapter_has_ten_lines(name: str) -> None:
    assert len(source(name).split("def ", 1)[1].splitlines()) <= 10


def test_pydantic_ai(registry: ToolRegistry) -> None:
    tools = adapter("pydantic_tools", "pydantic_ai")(registry)
    messages = importlib.import_module("pydantic_ai.messages")
    function = importlib.import_module("pydantic_ai.models.function")
    script = iter([[("levenshtein", {"a": "kitten"})], [("levenshtein", WORDS)], []])
    seen: list[str] = []

    def model(history: Any, info: Any) -> Any:
        assert [tool.name for tool in info.function_tools] == ["levenshtein", "sort_lines"]
        seen.extend(part.content for part in history[-1].parts if part.part_kind == "tool-return")
        parts = [messages.ToolCallPart(name, arguments) for name, arguments in next(script)]
        return messages.ModelResponse(parts=parts or [messages.TextPart("Done")])

    agent = importlib.import_module("pydantic_ai").Agent(function.FunctionModel(model), tools=tools)
    assert agent.run_sync("Compare").output == "Done"
    assert seen == [REFUSED, "3"]


def test_langchain(registry: ToolRegistry) -> None:
    tools = adapter("langchain_tools", "langchain_core")(registry)
    calling = importlib.import_module("langchain_core.utils.function_calling")
    function = calling.convert_to_openai_tool(tools[0])["function"]
    assert function["name"] == "levenshtein"
    assert function["parameters"]["required"] == ["a", "b"]
    for arguments, content in (({"a": "kitten"}, REFUSED), (WORDS, "3")):
        call = {"type": "tool_call", "id": "1", "name": "levenshtein", "args": arguments}
        message = tools[0].invoke(call)
        assert (message.tool_call_id, message.content) == ("1", content)
    assert asyncio.run(tools[0].ainvoke(WORDS)) == "3"


def test_openai_agents(registry: ToolRegistry) -> None:
    tools = adapter("agents_tools", "agents")(registry)
    agents = importlib.import_module("agents")
    items = importlib.import_module("openai.types.responses")
    script = iter(['{"a": ', '{"a": "kitten"}', '{"a": "kitten", "b": "sitting"}', None])
    seen: list[str] = []

    class Model(agents.Model):  # type: ignore[misc,name-defined]
        async def get_response(self, *given: Any, **named: Any) -> Any:
            history = named.get("input", given[1] if len(given) > 1 else "")
            if isinstance(history, list) and history[-1].get("type") == "function_call_output":
                seen.append(history[-1]["output"])
            arguments = next(script)
            item = (
                items.ResponseFunctionToolCall(
                    type="function_call",
                    call_id=arguments,
                    name="levenshtein",
                    arguments=arguments,
                )
                if arguments
                else items.ResponseOutputMessage.model_validate(
                    {
                        "id": "m",
                        "type": "message",
                        "role": "assistant",
                        "status": "completed",
                        "content": [{"type": "output_text", "text": "Done", "annotations": []}],
                    }
                )
            )
            return agents.ModelResponse(output=[item], usage=agents.Usage(), response_id=None)

        def stream_response(self, *given: Any, **named: Any) -> Any:
            raise NotImplementedError

    agent = agents.Agent(name="Comparer", model=Model(), tools=tools)
    agents.set_tracing_disabled(True)
    assert agents.Runner.run_sync(agent, "Compare").final_output == "Done"
    assert "arguments are not JSON" in seen[0]
    assert seen[1:] == [REFUSED, "3"]


@pytest.fixture
def llm_plugin(tmp_path: Path) -> Path:
    """A directory with the chapter's plugin for llm, as pip would install it."""
    (tmp_path / "llm_purewasm.py").write_text(source("register_tools"))
    info = tmp_path / "llm_purewasm-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-purewasm\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[llm]\npurewasm = llm_purewasm\n")
    return tmp_path


PROGRAM = """
import sys
import llm

class Model(llm.Model):
    model_id = "scripted"
    supports_tools = True
    can_stream = False
    script = [{"a": "kitten"}, {"a": "kitten", "b": "sitting"}]

    def execute(self, prompt, stream, response, conversation):
        for result in prompt.tool_results:
            print(result.output)
        if self.script:
            call = llm.ToolCall("levenshtein", self.script.pop(0), "1")
            response.add_tool_call(call)
            yield ""
        else:
            yield "Done"

tools = list(llm.get_tools().values())
print(*sorted(tool.name for tool in tools))
print(Model().chain("Compare", tools=[t for t in tools if t.name == "levenshtein"]).text())
"""


def test_llm(llm_plugin: Path) -> None:
    pytest.importorskip("llm")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            "PYTHONPATH": f"{llm_plugin}{os.pathsep}{ROOT}",
            "LLM_USER_PATH": str(llm_plugin),
            "PATH": "",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names, *results = done.stdout.split("\n", 1)
    assert {"levenshtein", "sort_lines"} <= {*names.split()}
    assert results == [f"{REFUSED}\n3\nDone\n"]
