"""Tables of a manifest, whose errors tell the file, the key and the line."""

from __future__ import annotations

import json
import re
import tomllib

from purewasm_plugins.plugin.errors import ManifestError
from purewasm_plugins.support.json_text import read_json, write_json
from purewasm_plugins.support.suggestions import listed, similar_name
from purewasm_plugins.support.typed import Any, Callable, Iterator, Mapping

__all__ = ["YAML", "Document", "Keys", "Table", "dotted", "keys_of", "read_table"]

#: Characters of a manifest; one with a hundred plugins has a twentieth.
MOST_CHARACTERS = 1 << 20

#: How the name of a file of YAML ends.
YAML = (".yaml", ".yml")

#: Dots in a line of TOML, texts aside. The time that Python's parser takes for a key is quadratic.
_DOTS = 40
_TEXTS = re.compile(r'"(?:[^"\\\n]|\\.)*+"|\'[^\'\n]*+\'')

#: The keys of a table, one inside the other.
Keys = tuple[str, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINE = re.compile(r" \(at line (\d+), column \d+\)|: line (\d+) column \d+ \(char \d+\)")
_END = " (at end of document)"

#: Characters of a wrong value that an error shows, and equals signs that a key may have.
_SHOWN = 40
_SIGNS = 16

#: Keys, one inside the other, whose lines are known.
_DEPTH = 16

#: The words for types, as TOML and JSON have them.
_TYPES: Mapping[type, str] = {str: "text", bool: "true or false", dict: "a table", list: "a list"}


class Document:
    """A file of tables.

    Attributes:
        file: its path.
    """

    def __init__(self, file: str, lines: Callable[[], Mapping[Keys, int]]) -> None:
        """Take a path, and what returns the lines of keys, for an error."""
        self.file = file
        self._lines = lines

    def error(self, keys: Keys, details: str) -> ManifestError:
        """Return the error about what the keys lead to."""
        lines = self._lines()
        found = [lines[keys[:end]] for end in range(len(keys), 0, -1) if keys[:end] in lines]
        return ManifestError(self.file, dotted(keys), found[0] if found else None, details)


def dotted(keys: Keys) -> str:
    """Return keys as TOML has them in a header."""
    return ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in keys)


def key_lines(text: str) -> dict[Keys, int]:
    """Return the lines of the keys of a TOML text, as far as they stand at the start of a line."""
    lines: dict[Keys, int] = {}
    table: Keys = ()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = found = keys_of(line) or table
        else:
            found = table + _assigned(line)
        # Also those that a dotted key makes on its way.
        for end in range(1, min(len(found), _DEPTH) + 1):
            lines.setdefault(found[:end], number)
    return lines


def _assigned(line: str) -> Keys:
    """Return the keys that a line assigns a value; none where it does not."""
    # A key may have an equals sign in quotes.
    parts = line.split("=", _SIGNS)
    for end in range(1, len(parts)):
        keys = keys_of("=".join([*parts[:end], "0"]))
        if keys:
            return keys
    return ()


def keys_of(line: str) -> Keys:
    """Return the keys of a line that is TOML by itself; none where it is not."""
    try:
        value: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ()
    keys = []
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)


def read_table(file: str, data: bytes, *, is_json: bool, is_yaml: bool = False) -> Table:
    """Read a file of TOML, JSON or YAML.

    Args:
        file: its path, for errors.
        data: its bytes.
        is_json, is_yaml: whether it is that, and no TOML.

    Raises:
        ManifestError: it is none.
    """
    lines: Mapping[Keys, int] | None = {} if is_json else None
    try:
        text = data.decode()
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"it has more than {MOST_CHARACTERS} characters")
        if is_yaml:
            # Imported here: most manifests are TOML.
            from purewasm_plugins.plugin.manifest.yaml_text import read_yaml

            value, lines = read_yaml(text)
        else:
            value = read_json(text) if is_json else _read_toml(text)
        if is_json or is_yaml:
            # An escape can be half of a character, which no file name and no client takes.
            write_json(value).encode()
    except RecursionError:
        raise ManifestError(file, "", None, "it is nested too deep") from None
    except ValueError as error:
        raise _fault(file, data, error) from None
    document = Document(file, lambda: key_lines(text) if lines is None else lines)
    if not isinstance(value, dict):
        raise document.error((), "it must be a table")
    return Table(document, (), value)


def _read_toml(text: str) -> dict[str, Any]:
    for number, line in enumerate(_TEXTS.sub("", text).split("\n"), 1):
        if line.count(".") > _DOTS:
            raise ValueError(f"a key has more than {_DOTS} parts (at line {number}, column 1)")
    return tomllib.loads(text)


def _fault(file: str, data: bytes, error: ValueError) -> ManifestError:
    """Return the error about a text that is no TOML, JSON or YAML.

    The parsers of the standard library have the line in their message.
    """
    message = str(error)
    line: int | None = getattr(error, "line", None)
    found = _LINE.search(message)
    if found:
        line = int(found[1] or found[2])
    elif message.endswith(_END):
        line = len(data.splitlines())
    return ManifestError(file, "", line, _LINE.sub("", message).removesuffix(_END))


class Table:
    """A table of a document.

    Attributes:
        document: the document.
        keys: what leads to it.
        value: what it has.
    """

    def __init__(self, document: Document, keys: Keys, value: Mapping[str, Any]) -> None:
        self.document = document
        self.keys = keys
        self.value = value

    def error(self, key: str | None, details: str) -> ManifestError:
        """Return the error about a key of it, or about all of it."""
        return self.document.error(self.keys if key is None else (*self.keys, key), details)

    def allow(self, *known: str) -> None:
        """Refuse all keys but these.

        Raises:
            ManifestError: there is another one.
        """
        for key in self.value:
            if key not in known:
                similar = similar_name(key, known)
                hint = f"did you mean '{similar}'?" if similar else f"there are: {listed(known)}"
                raise self.error(key, f"unknown key; {hint}")

    def text(self, key: str) -> str | None:
        """Return a text, or None where the key is missing; so do the methods below.

        Raises:
            ManifestError: it is something else.
        """
        found: str | None = self._typed(key, str)
        return found

    def flag(self, key: str) -> bool | None:
        """Return a truth value."""
        found: bool | None = self._typed(key, bool)
        return found

    def table(self, key: str) -> Table | None:
        """Return a table."""
        found = self._typed(key, dict)
        return None if found is None else Table(self.document, (*self.keys, key), found)

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Yield the keys with their values, all of which must be tables."""
        for key in self.value:
            found = self.table(key)
            if found is not None:
                yield key, found

    def texts(self, key: str) -> dict[str, str]:
        """Return the texts of a table by their keys; none where the key is missing."""
        found = self.table(key)
        return {} if found is None else {name: found.text(name) or "" for name in found.value}

    def items(self, key: str) -> Iterator[Table]:
        """Yield the items of a list, all of which must be tables; none where the key is missing."""
        for index, item in enumerate(self._typed(key, list) or ()):
            place = Table(self.document, (*self.keys, key), {str(index): item}).table(str(index))
            if place is not None:
                yield place

    def list_of_texts(self, key: str) -> list[str]:
        """Return the texts of a list; none where the key is missing."""
        found = self.value.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.error(key, "it must be a list of texts")
        return found

    def _typed(self, key: str, kind: type) -> Any:
        found = self.value.get(key)
        if found is None and key not in self.value:
            return None
        if not isinstance(found, kind):
            raise self.error(key, f"it must be {_TYPES[kind]}, not {_shown(found)}")
        return found


def _shown(value: object) -> str:
    """Return a value in words; one that may be nested, or have many digits, by its type."""
    if isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 64):
        return repr(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
    return _TYPES.get(type(value), f"a value of the type {type(value).__name__}")
