"""`python -m benchmarks`: parses, measures, prints."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.sections import QUICK, SECTIONS, THOROUGH
from purewasm_plugins import PluginError, WasmError


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), metavar="NAME", help=", ".join(SECTIONS)
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument(
        "--update", nargs="+", type=Path, default=[], metavar="FILE", help="renew the tables there"
    )
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the kernels there")
    options = parser.parse_args()
    if options.svg and options.only and "kernels" not in options.only:
        parser.error("--svg draws the kernels, which --only leaves out")

    implementation = platform.python_implementation()
    print(f"{implementation} {platform.python_version()}, {platform.machine()}\n", flush=True)
    tables = []
    failed = False
    for name in options.only or SECTIONS:
        try:
            for table in SECTIONS[name](QUICK if options.quick else THOROUGH):
                report.show(table)
                tables.append(table)
        except (PluginError, WasmError) as error:
            print(f"{name}: {error}\n", file=sys.stderr)
            failed = True
    if not options.only:
        tables.append(report.all_goals(tables))
        report.show(tables[-1])
    for path in options.update:
        path.write_text(report.updated(path.read_text("utf-8"), tables), encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(report.markdown(tables), encoding="utf-8")
    if options.svg:
        from benchmarks.chart import draw

        draw(next(table.seconds for table in tables if table.seconds), options.svg)
    sys.exit(failed)


if __name__ == "__main__":
    main()
