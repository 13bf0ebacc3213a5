"""A whole process: the first and the tenth answer of a package that needs wasmtime, in seconds.

The arguments: the folder of the packages, the package, and `wasmtime` or `stand-in`. The
environment variable POLICY names the file of a policy for `opa-wasmtime`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

#: The answer to the question with a number.
Answers = Callable[[int], Any]


def quickjs_rs() -> Answers:
    from quickjs_rs import Runtime  # type: ignore[import-not-found,unused-ignore]

    context = Runtime().new_context()
    return lambda n: context.eval(f"[{n}, 2, 3].map(x => x * x).join()")


def wasmjs() -> Answers:
    from wasmjs.wasmjs import WasmJS  # type: ignore[import-not-found,unused-ignore]

    js = WasmJS()
    return lambda n: js.eval(f"[{n}, 2, 3].map(x => x * x)")


def pii_shield_wasi() -> Answers:
    from pii_shield import PiiShield  # type: ignore[import-not-found,unused-ignore]

    shield = PiiShield()
    return lambda n: shield.redact(f"user {n} password=hunter{n}secret card 4111 1111 1111 1111")


def eu_licence_validator() -> Answers:
    from eu_licence_validator import is_valid  # type: ignore[import-not-found,unused-ignore]

    return lambda n: is_valid(f"AB-{100 + n}-CD", "FR")


def opa_wasmtime() -> Answers:
    from opa_wasmtime import OPAPolicy  # type: ignore[import-not-found,unused-ignore]

    policy = OPAPolicy(os.environ["POLICY"], builtins={"text.upper": str.upper})
    return lambda n: policy.evaluate({"user": f"ann {n}"})


def vt100wasm() -> Answers:
    from vt100wasm import Screen  # type: ignore[import-not-found,unused-ignore]

    screen = Screen(4, 20)

    def answer(n: int) -> str:
        screen.process(b"\x1b[31mline %d\x1b[0m\r\n" % n)
        return str(screen.contents())

    return answer


PACKAGES: dict[str, Callable[[], Answers]] = {
    "eu-licence-validator": eu_licence_validator,
    "opa-wasmtime": opa_wasmtime,
    "pii-shield-wasi": pii_shield_wasi,
    "quickjs-rs": quickjs_rs,
    "vt100wasm": vt100wasm,
    "wasmjs": wasmjs,
}


def main(folder: str, package: str, library: str) -> None:
    sys.path.insert(0, folder)
    start = time.perf_counter()
    if library == "stand-in":
        import purewasm_plugins.wasmtime as stand_in

        stand_in.install(prefer="pure")
    answer = PACKAGES[package]()
    answer(0)
    first = time.perf_counter() - start
    for n in range(1, 9):
        answer(n)
    start = time.process_time()
    answer(9)
    print(first, time.process_time() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
