"""What every layer may use: frozen records, JSON as text, the version."""
