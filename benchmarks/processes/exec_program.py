"""A whole process: `purewasm exec` with the arguments."""

import sys

from purewasm_plugins.cli import main

sys.argv[1:1] = ["exec"]
main()
