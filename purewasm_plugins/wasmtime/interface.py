"""The interface that the stand-in keeps: the name and the version of the distribution."""

from __future__ import annotations

__all__ = ["NAME", "VERSION"]

#: The name of the distribution, and of the package that is imported.
NAME = "wasmtime"

#: The version of wasmtime-py whose interface it is.
VERSION = "50.0.1"
