"""The examples of the Edit tab: modules in the text format.

They are fixtures of the repository. A wheel holds a copy of each beside the example plugins. The
comment at the beginning of a text says what it is, and the page shows that.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from purewasm_plugins.support.records import Record

_BUNDLED = resources("purewasm_plugins") / "bundled"
_FIXTURES = Path(__file__).parents[2] / "fixtures" / "wat"


class ExampleText(Record):
    """A text that the page offers.

    Attributes:
        name: of its file, without the suffix.
        title: its title in the list, in a few words.
        inputs: as those of `Bundled`; of a function, its arguments.
    """

    name: str
    title: str
    inputs: Mapping[str, Any] = {}

    @property
    def file(self) -> Traversable:
        """Its file, which an incomplete copy of the package is without."""
        name = f"{self.name}.wat"
        bundled = _BUNDLED / name
        return bundled if bundled.is_file() else _FIXTURES / name

    def described(self) -> dict[str, Any]:
        """Return what the page needs, as JSON has it."""
        text = self.file.read_text("utf-8")
        return {
            "name": self.name,
            "title": self.title,
            "says": sentence(text),
            "text": text,
            "inputs": dict(self.inputs),
        }


def sentence(text: str) -> str:
    """Return what the comment at the beginning of a text says, but for what a host must do."""
    lines = []
    for line in text.splitlines():
        if not line.startswith(";;"):
            break
        lines.append(line.removeprefix(";;").strip())
    _, _, says = " ".join(lines).partition(": ")
    return says.partition(" A host must")[0]


#: Every text that the page offers, in its order; the first is the one to start from.
TEXTS: tuple[ExampleText, ...] = (
    ExampleText("rot13", "A small tool, complete", {"rot13": "Hello, WebAssembly!"}),
    ExampleText("gcd", "A function on numbers", {"gcd": ["48", "18"]}),
    ExampleText("says_hello", "A program that writes"),
    ExampleText("hello", "The smallest plugin", {"greet": "anybody"}),
    ExampleText("stateful", "A counter"),
    ExampleText(
        "with_schema",
        "Tools with forms",
        {"search": {"query": "kittens", "limit": 3}},
    ),
    ExampleText("buggy_shout", "A bug to find", {"shout": "pizza"}),
    ExampleText("trap_unreachable", "A trap", {"crash": "anything"}),
)


def example_texts() -> tuple[ExampleText, ...]:
    """Return the texts that this copy of the package has."""
    return tuple(text for text in TEXTS if text.file.is_file())
