"""The binary format (core specification, chapter 5)."""
