"""The text format (core specification, chapter 6)."""
