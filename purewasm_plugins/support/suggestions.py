"""Names in error messages: the most similar name, and a short list.

The module is imported only for an error, because `difflib` takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["listed", "similar_name"]

#: The most names that a list shows.
_LISTED = 20

#: The most names that are compared, and their greatest length in characters. A comparison takes
#: time in proportion to the product of the lengths, and a module chooses its names and their
#: number.
_COMPARED = 2000
_LONGEST = 100


def similar_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelt one.

    Returns:
        The name; None where none is similar. Case does not count.
    """
    from difflib import get_close_matches
    from itertools import islice

    if len(name) > _LONGEST:
        return None
    comparable = {
        other.lower(): other for other in islice(known, _COMPARED) if len(other) <= _LONGEST
    }
    found = get_close_matches(name.lower(), comparable, n=1, cutoff=0.7)
    return comparable[found[0]] if found else None


def listed(names: Sequence[str]) -> str:
    """Return the names with commas between them: the first 20, and how many more there are."""
    text = ", ".join(names[:_LISTED])
    more = len(names) - _LISTED
    return f"{text} and {more} more" if more > 0 else text
