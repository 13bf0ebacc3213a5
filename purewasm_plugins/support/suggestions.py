"""The words for an error about a name that does not exist: similar names, and a bounded list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

#: Names that are compared, and the longest of them, in characters. A module may export a million
#: names, and a comparison takes time in proportion to the product of both lengths.
_NAMES, _LENGTH = 1000, 64

#: Names that a list shows.
_LISTED = 20

#: Names that are suggested at most, and how similar they must be (1 is equal).
_SUGGESTED, _SIMILAR = 3, 0.75


def close_names(wanted: str, known: Iterable[str]) -> list[str]:
    """Return the known names that resemble a name, the most similar first, at most three."""
    if not 0 < len(wanted) <= _LENGTH:
        return []
    # Imported here: most processes never make an error of this kind.
    from difflib import get_close_matches

    folded: dict[str, str] = {}
    for name in islice(known, _NAMES):
        if len(name) <= _LENGTH:
            folded.setdefault(name.casefold(), name)
    close = get_close_matches(wanted.casefold(), folded, _SUGGESTED, _SIMILAR)
    return [folded[name] for name in close]


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """Return the end of an error's sentence, or an empty string where no known name is similar.

    >>> "there is no tool 'json_prety'" + did_you_mean("json_prety", ["json_pretty", "sha256"])
    "there is no tool 'json_prety'; did you mean 'json_pretty'?"
    """
    found = close_names(wanted, known)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""


def listed(names: Sequence[str]) -> str:
    """Return the names with commas between them: the first 20, and how many more there are."""
    text = ", ".join(names[:_LISTED])
    more = len(names) - _LISTED
    return f"{text} and {more} more" if more > 0 else text
