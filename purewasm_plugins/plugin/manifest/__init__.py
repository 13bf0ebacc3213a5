"""The manifest: a file that says which plugins there are, and what each may use and touch.

`tables` reads tables with the places of their keys, `plugins` has the records of what is said of a
plugin, `model` reads them, with `capabilities` for what is granted beside WASI. `lock` holds the
hashes of the files, `sources` finds the files, `editing` adds grants, `summary` explains.
`hyper_mcp` and `wassette` read the formats of others, with `others` and `yaml_text`. `MANIFEST.md`
is the chapter.
"""

from purewasm_plugins.plugin.errors import ManifestError, PluginHashError
from purewasm_plugins.plugin.manifest.model import Manifest, ManifestPlugin, read_manifest

__all__ = ["Manifest", "ManifestError", "ManifestPlugin", "PluginHashError", "read_manifest"]
