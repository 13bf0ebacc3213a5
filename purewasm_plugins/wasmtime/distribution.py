"""The distribution `wasmtime` as a process sees it in which the stand-in takes its name."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from purewasm_plugins.wasmtime.interface import metadata_files

__all__ = ["StandInDistribution"]


class StandInDistribution(Distribution):
    """The distribution of a stand-in that `install` put in place: no file of it is installed."""

    def __init__(self, version: str) -> None:
        """Take the version that it says it is."""
        self._files = metadata_files(version)

    def read_text(self, filename: str) -> str | None:
        """Return a file of the metadata; see `importlib.metadata.Distribution.read_text`."""
        return self._files.get(filename)

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where a file would be; see `importlib.metadata.Distribution.locate_file`."""
        return Path(__file__).parent / path
