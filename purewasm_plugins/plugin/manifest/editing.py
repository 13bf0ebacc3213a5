"""Adding grants to a manifest, whose other text stays as it is."""

from __future__ import annotations

import json
import tomllib

from purewasm_plugins.errors import PluginError
from purewasm_plugins.plugin.errors import ManifestError
from purewasm_plugins.plugin.manifest.tables import Keys, dotted, keys_of
from purewasm_plugins.support.json_text import read_json
from purewasm_plugins.support.typed import Any, Mapping

__all__ = ["with_entries"]

#: Tables, and the entries that are added to each.
Entries = Mapping[Keys, Mapping[str, Any]]


def with_entries(file: str, text: str, entries: Entries) -> str:
    """Return the text of a manifest with more entries.

    Args:
        file: its path: JSON where it ends in `.json`, else TOML.
        text: its text.
        entries: what is added: texts, lists of them, and tables of texts and truth values.

    Raises:
        ManifestError: the text cannot be changed so; the error has what to write by hand.
    """
    if file.endswith(".json"):
        value = read_json(text)
        _add(value, entries)
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    changed = text
    for table, added in entries.items():
        changed = _with_lines(changed, table, [_line(key, value) for key, value in added.items()])
    try:
        expected = tomllib.loads(text)
        _add(expected, entries)
        done = tomllib.loads(changed) == expected
    except (ValueError, PluginError):
        done = False
    if not done:
        by_hand = "; ".join(
            f"in [{dotted(table)}]: {_line(key, value)}"
            for table, added in entries.items()
            for key, value in added.items()
        )
        details = f"the tables are written in a way that is only changed by hand: {by_hand}"
        raise ManifestError(file, "", None, details)
    return changed


def _add(value: dict[str, Any], entries: Entries) -> None:
    for table, added in entries.items():
        found = value
        for key in table:
            found = found.setdefault(key, {})
            if not isinstance(found, dict):
                raise PluginError(f"'{key}' is no table")
        found.update(added)


def _with_lines(text: str, table: Keys, added: list[str]) -> str:
    """Return the text with lines after the header of a table, or at the end with that header."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.lstrip().startswith("[") and keys_of(line) == table:
            return "\n".join([*lines[: number + 1], *added, *lines[number + 1 :], ""])
    return "\n".join([*lines, "", f"[{dotted(table)}]", *added, ""])


def _line(key: str, value: Any) -> str:
    return f"{dotted((key,))} = {_written(value)}"


def _written(value: Any) -> str:
    """Return a text, a list of texts, a truth value or a table of them, as TOML has it."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_line(key, one) for key, one in value.items())} }}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
