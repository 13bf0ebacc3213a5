"""`python -m purewasm_plugins` is the command `purewasm`."""

import sys

from purewasm_plugins.cli import main

sys.exit(main())
