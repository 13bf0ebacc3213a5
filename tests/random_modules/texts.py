"""Texts at random: mutants of the texts of the repository."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from random import Random

_ROOT = Path(__file__).parents[2]

#: Tokens, and the space between them.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+|\s+|"')

#: What is put into a token.
_CHARACTERS = '0x_()$"a.-; \\{@'

#: The characters of the longest text that is mutated.
_LONGEST = 6000


@functools.cache
def _texts() -> list[list[str]]:
    paths = sorted((_ROOT / "fixtures").rglob("*.wat")) + sorted(_ROOT.glob("benchmarks/*.wat"))
    texts = [path.read_text("utf-8") for path in paths]
    return [_TOKEN.findall(text) for text in texts if len(text) <= _LONGEST]


def mutated_text(random: Random) -> str:
    """Make a text that may be a module: another one with a few tokens changed."""
    tokens = [*random.choice(_texts())]
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(tokens))
        other = random.choice(random.choice(_texts()))
        match random.randrange(5):
            case 0:
                tokens[at] = ""
            case 1:
                tokens.insert(at, other)
            case 2:
                tokens[at] = other
            case 3:
                to = random.randrange(len(tokens))
                tokens[at], tokens[to] = tokens[to], tokens[at]
            case _:
                middle = random.randint(0, len(tokens[at]))
                character = random.choice(_CHARACTERS)
                tokens[at] = tokens[at][:middle] + character + tokens[at][middle:]
    return "".join(tokens)
