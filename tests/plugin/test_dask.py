"""`map_tool` on a Dask cluster of two processes, one of which is killed.

It needs the extra `dask`, which the extra `test` leaves out:

    python -m pip install -e '.[test,dask]' && python -m pytest tests/plugin/test_dask.py
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from purewasm_plugins import WasmPlugin, WorkerError, example, map_tool
from tests.plugin import deadly
from tests.plugin.test_mapping import TEXTS, Counting, calling

distributed = pytest.importorskip(
    "distributed", reason="there is no dask: run `pip install -e '.[test,dask]'` first"
)

__all__ = ["calling"]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of a cluster of two processes, each of which runs one task at a time."""
    import dask

    settings = {
        "distributed.worker.memory.terminate": False,
        "distributed.comm.timeouts.connect": "10s",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_the_plugin_travels_once(client: Any) -> None:
    plugin = WasmPlugin.load(example("c_encode"))
    for most in (2, 0):
        # A second run finds it on each worker.
        counting = Counting(client.get_executor())
        results = map_tool(plugin, "base64_encode", TEXTS, executor=counting, in_flight=4)
        assert [result.index for result in results] == [*range(300)]
        assert counting.with_plugin <= 4
        assert most or counting.with_plugin == 0


@pytest.mark.skipif(os.name == "nt", reason="there is no such signal")
def test_a_worker_that_is_killed_loses_nothing(client: Any) -> None:
    plugin = WasmPlugin.load(example("c_encode"))
    expected = [plugin.execute_tool("sha256", text) for text in TEXTS]
    before = {*client.run(os.getpid).values()}
    assert len(before) == 2
    outputs = []
    executor = client.get_executor()
    for result in map_tool(plugin, "sha256", TEXTS * 4, executor=executor, in_flight=4):
        outputs.append(result.output)
        if len(outputs) == 100:
            os.kill(min(before), signal.SIGKILL)
    assert outputs == expected * 4
    client.wait_for_workers(2)
    assert min(before) not in client.run(os.getpid).values()


def test_an_input_that_workers_die_of(client: Any, calling: Any) -> None:
    """A scheduler without patience gives up each task of a worker that died, innocent ones too."""
    client.cluster.scheduler.allowed_failures = 0
    texts = [*"abc", "!", *"defg"]
    plugin = calling(deadly.die)
    results = map_tool(plugin, 0, texts, executor=client.get_executor(), on_error="return")
    for text, result in zip(texts, results, strict=True):
        if text == "!":
            assert isinstance(result.error, WorkerError)
            assert "KilledWorker" in str(result.error)
        else:
            assert (result.output, result.error) == (text, None)
