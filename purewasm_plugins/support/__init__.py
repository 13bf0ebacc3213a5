"""Helpers for all rooms: frozen records, JSON, the words for similar names, the version."""
