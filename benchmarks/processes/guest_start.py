"""A whole process: start a guest, then a second one, then run sources from standard input once.

Arguments: the host, "purewasm" or "pwasm"; the name of the guest; the path of its module. Prints,
in seconds of the processor: the imports and the start of the first guest until it has run its first
source; the start of the second one until then; and one run of all sources.

The environment variables PUREWASM_CACHE and PWASM_CACHE_DIR name the caches of the hosts.
"""

import itertools
import json
import sys
import time

host, name, path = sys.argv[1:]
sources = json.load(sys.stdin)

seconds = [time.process_time()]
if host == "purewasm":
    from benchmarks.guests import ours
    from purewasm_plugins import Module

    module = Module.compile(path)
    guest = getattr(ours, name)(module)
    guest.run("1 + 1")
    seconds.append(time.process_time())
    getattr(ours, name)(module).run("1 + 1")
    seconds.append(time.process_time())
    run = guest.run
else:
    from pwasm import guests

    limits = {"fuel": 10**10, "timeout": 30.0}
    method = "exec" if name == "MicroPython" else "eval"
    guest = getattr(guests, name)(**limits)
    getattr(guest, method)("1 + 1")
    seconds.append(time.process_time())
    getattr(getattr(guests, name)(**limits), method)("1 + 1")
    seconds.append(time.process_time())
    run = getattr(guest, method)
for source in sources:
    run(source)
seconds.append(time.process_time())
print(*(after - before for before, after in itertools.pairwise(seconds)))
