"""The plugins of a manifest, as records: where each is from, and what it is granted."""

from __future__ import annotations

from purewasm_plugins.plugin.manifest.capabilities import GrantedStore
from purewasm_plugins.plugin.policy import ToolPolicy
from purewasm_plugins.support.records import Record
from purewasm_plugins.support.typed import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    from purewasm_plugins.capabilities.http import Http
else:
    Http = Any

__all__ = ["Granted", "GrantedDirectory", "ManifestPlugin"]


class GrantedDirectory(Record):
    """A directory that a manifest grants.

    Attributes:
        guest: the path that the plugin sees.
        host: the directory; a relative path begins where the manifest lies.
        read_only: whether nothing in it may be changed.
    """

    guest: str
    host: str
    read_only: bool


class Granted(Record):
    """What a manifest grants to a plugin through WASI.

    Attributes:
        directories, env: as in the manifest.
        fixed_clock, fixed_random: whether there is no real time, and no real random numbers.
        quotas: those that the manifest gives.
    """

    directories: tuple[GrantedDirectory, ...] = ()
    env: Mapping[str, str] = {}  # noqa: RUF012
    fixed_clock: bool = False
    fixed_random: bool = False
    quotas: Mapping[str, Any] = {}  # noqa: RUF012


class ManifestPlugin(Record):
    """A plugin of a manifest.

    Attributes:
        name: its name, which must be the one that the plugin itself gives.
        kind, source: "path", "entry_point" or "url", and that.
        sha256: the hash that the manifest gives, or None.
        limits: the fields of `ResourceLimits` that the manifest gives.
        wasi: what it may touch; None for no WASI.
        config: texts by name, which it reads.
        secrets: more of them: their names, and the variables of this process with the texts.
        http: the hosts that it may send requests to, or None.
        kv: its key-value store, or None.
        policy: what agents get of its tools.
    """

    name: str
    kind: str
    source: str
    sha256: str | None
    limits: Mapping[str, Any]
    wasi: Granted | None
    config: Mapping[str, str]
    secrets: Mapping[str, str]
    http: Http | None
    kv: GrantedStore | None
    policy: ToolPolicy

    @property
    def origin(self) -> str:
        """Its source in words."""
        return f"{self.kind} {self.source}"
