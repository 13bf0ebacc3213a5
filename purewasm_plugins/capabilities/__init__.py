"""What a host may give a plugin by name: configuration, HTTP requests, a key-value store.

Each is a grant of `PluginOptions`; without it, nothing of it can be reached. `CAPABILITIES.md` has
the rules. The functions that a plugin imports are made in `plugin.granted`.
"""
