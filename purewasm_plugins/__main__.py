"""`python -m purewasm_plugins` is the command `purewasm`."""

from purewasm_plugins.cli import main

main()
