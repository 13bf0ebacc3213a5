"""The lock file of a manifest: the hash of each plugin's file."""

from __future__ import annotations

import os
import re

from purewasm_plugins.plugin.manifest.tables import read_table
from purewasm_plugins.support.json_text import write_json
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import Mapping

__all__ = ["HASH", "Locked", "lock_path", "lock_text", "read_lock"]

#: A SHA-256 hash in hexadecimal digits.
HASH = re.compile(r"[0-9a-f]{64}")

VERSION = 1


class Locked(Record):
    """What the lock file has of a plugin.

    Attributes:
        source: its source in the manifest, in words.
        sha256: the hash of its file.
    """

    source: str
    sha256: str


def lock_path(manifest: str) -> str:
    """Return the path of a manifest's lock file: `plugins.lock` beside `plugins.toml`."""
    return f"{os.path.splitext(manifest)[0]}.lock"


def read_lock(file: str, data: bytes) -> dict[str, Locked]:
    """Read a lock file.

    Raises:
        ManifestError: it is none.
    """
    table = read_table(file, data, is_json=True)
    table.allow("version", "plugins")
    if table.value.get("version") != VERSION:
        raise table.error("version", f"it must be {VERSION}")
    plugins = table.table("plugins")
    locked: dict[str, Locked] = {}
    for name, entry in () if plugins is None else plugins.tables():
        entry.allow("source", "sha256")
        sha256 = entry.text("sha256") or ""
        if not HASH.fullmatch(sha256):
            raise entry.error("sha256", "it must be a SHA-256 hash: 64 hexadecimal digits")
        locked[name] = Locked(entry.text("source") or "", sha256)
    return locked


def lock_text(plugins: Mapping[str, Locked]) -> str:
    """Return the text of a lock file, a line for each plugin."""
    lines = [
        f"  {write_json(name)}: {write_json({'source': one.source, 'sha256': one.sha256})}"
        for name, one in plugins.items()
    ]
    return '{"version": %d, "plugins": {\n%s\n}}\n' % (VERSION, ",\n".join(lines))  # noqa: UP031
