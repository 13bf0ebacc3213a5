"""The manifest: a file that says which plugins there are, and what each may use and touch.

`tables` reads tables with the places of their keys, `model` says what a manifest has,
`capabilities` what it grants beside WASI, `lock` holds the hashes of the files, `sources` finds the
files, `editing` adds grants. `MANIFEST.md` is the chapter.
"""

from purewasm_plugins.plugin.errors import ManifestError, PluginHashError
from purewasm_plugins.plugin.manifest.model import Manifest, ManifestPlugin, read_manifest

__all__ = ["Manifest", "ManifestError", "ManifestPlugin", "PluginHashError", "read_manifest"]
