"""What a host gives an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Module name to import name to what is imported.
Imports = Mapping[str, Mapping[str, Any]]
