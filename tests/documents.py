"""The documents of the repository, block by block, and their Python as files for type checkers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

#: Folders that do not belong to the repository.
_FOREIGN = {"node_modules", "build", "dist", "__pycache__"}
_PYTHON = ("pycon", "python")
_SHELL = ("console", "sh", "bash")


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        line: the number of its first line, counted from 0.
        language: the word after the fence.
        text: the text between the fences.
    """

    line: int
    language: str
    text: str


class Document(NamedTuple):
    """A Markdown file."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """The whole text."""
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def blocks(self, *languages: str) -> Iterator[Block]:
        """Yield the fenced blocks of these languages."""
        text = self.text
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if match[1] in languages:
                yield Block(text.count("\n", 0, match.start(2)), match[1], match[2])

    def python(self) -> list[Block]:
        """Return the blocks of Python, with prompts or without."""
        return list(self.blocks(*_PYTHON))

    def commands(self) -> list[str]:
        """Return each command of the shell blocks, without its prompt and its output."""
        found = []
        for block in self.blocks(*_SHELL):
            lines = block.text.splitlines()
            prompts = [line for line in lines if line.startswith("$ ")]
            for line in prompts or lines:
                found += [part.strip() for part in line.removeprefix("$ ").split("&&")]
        return [command for command in found if command and not command.startswith("#")]

    def program(self) -> str:
        """Return the Python of all blocks as one program, each line where it is in the document."""
        lines = [""] * (self.text.count("\n") + 1)
        for block in self.python():
            source = block.text.splitlines()
            if ">>>" in block.text:
                source = [line[4:] if line.startswith((">>> ", "... ")) else "" for line in source]
            lines[block.line : block.line + len(source)] = source
        return "\n".join(lines) + "\n"


def documents() -> list[Document]:
    """Return every Markdown file of the repository."""
    return [
        Document(path)
        for path in sorted(ROOT.rglob("*.md"))
        for folders in [path.relative_to(ROOT).parts[:-1]]
        if not _FOREIGN & {*folders}
        and all(folder == ".github" or not folder.startswith(".") for folder in folders)
    ]
