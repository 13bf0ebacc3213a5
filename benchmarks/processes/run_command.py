"""A whole process: `purewasm run` with the arguments."""

import sys

from purewasm_plugins.cli import main

sys.argv[1:1] = ["run"]
main()
