"""Rust's mangled names become readable; other names stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purewasm_plugins.wasm.symbols.rust import readable_name

READABLE = {
    "_ZN3std7process5abort17h52a756c95aa1ed34E": "std::process::abort::h52a756c95aa1ed34",
    "_ZN3foo3barE": "foo::bar",
    "_ZN3foo3barE.llvm.123": "foo::bar",
    "_ZN3foo3barE.cold": "foo::bar.cold",
    "_ZN13panic_handler28_$u7b$$u7b$closure$u7d$$u7d$E": "panic_handler::{{closure}}",
    "_ZN45_$LT$vt100..Parser$LT$CB$GT$$u20$as$u20$D$GT$5printE": "<vt100::Parser<CB> as D>::print",
    "_ZN1a7b.c$C$dE": "a::b.c,d",
    "_ZN5a$ZZ$E": "a$ZZ$",
    "_RNvCs5QKde7ScR4H_7___rustc12___rust_abort": "__rustc[4425a7e20b4c8619]::__rust_abort",
    "_RNvC1a4main": "a[0]::main",
    "_RNCNvCs_1a4main0": "a[1]::main::{closure#0}",
    "_RNCNvC1a4mains_0": "a[0]::main::{closure#1}",
    "_RNvC1a1bCs1_1c": "a[0]::b",
}

AS_IT_IS = (
    "",
    "main",
    "_ZN",
    "_ZNE",
    "_ZN3fooEv",
    "_ZN9fooE",
    "_ZN3foo",
    "_ZN99999999999999999999999fooE",
    "_R",
    "_RNvC1a",
    "_RNvC1a9x",
    "_RINvC1a1bhE",
    "_RNvNvC1a1bu3foo",
    "_RNvCszzzzzzzzzzzzzzzzzzzzzzzzz_1a1b",
    "_ZN3größeE",
    "_R" + "Nv" * 5000,
    "_R" + "Nv" * 500 + "C1a" + "1b" * 500,
)


@pytest.mark.parametrize("name", READABLE)
def test_readable(name: str) -> None:
    assert readable_name(name) == READABLE[name]


@pytest.mark.parametrize("name", AS_IT_IS)
def test_as_it_is(name: str) -> None:
    assert readable_name(name) == name


@given(st.text("_ZNRNvsCE0123456789u7b$.aLTGTC", max_size=40), st.sampled_from(["_ZN", "_R", ""]))
def test_any_name(rest: str, start: str) -> None:
    assert isinstance(readable_name(start + rest), str)
