"""What a module says of its own source: names."""
