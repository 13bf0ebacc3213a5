"""Information about a module's source: names."""
