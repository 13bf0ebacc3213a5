"""`map_tool`: ten thousand inputs on one and two workers, and what a call costs on its way."""

from __future__ import annotations

import os
import pickle
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.measure import Effort, interleaved, repeating
from benchmarks.report import Table, duration, times
from purewasm_plugins import WasmPlugin, example, map_tool
from purewasm_plugins.plugin.workers import Answer, run_batch

COMMAND = "python -m benchmarks --only map"

INPUTS = 10_000

#: Inputs in a batch of the second table.
BATCH = 100

HERE = "this process, a loop"


def many_inputs(effort: Effort) -> Iterator[Table]:
    """Measure SHA-256 of ten thousand short texts, by the clock, and the way of one call."""
    plugin = WasmPlugin.load(example("c_encode"))
    texts = [f"a short text, number {number}" for number in range(INPUTS)]
    yield _throughput(plugin, texts, effort)
    yield _way(plugin, texts[0], effort)


def _throughput(plugin: WasmPlugin, texts: Sequence[str], effort: Effort) -> Table:
    def mapped(executor: Executor | int) -> object:
        return [*map_tool(plugin, "sha256", texts, executor=executor, in_flight=4)]

    runs: dict[str, Callable[[], object]] = {
        HERE: lambda: [plugin.execute_tool("sha256", text) for text in texts],
        "one process": lambda: mapped(1),
        "two processes": lambda: mapped(2),
    }
    notes = ["The start and the end of the processes are included."]
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        notes.append("Dask is left out: it is not installed.")
    else:

        def on_dask(count: int) -> object:
            options = {"dashboard_address": None, "silence_logs": 50}
            cluster = LocalCluster(n_workers=count, threads_per_worker=1, **options)
            with cluster, Client(cluster) as client:
                return mapped(client.get_executor())

        runs |= {
            "Dask, one process": lambda: on_dask(1),
            "Dask, two processes": lambda: on_dask(2),
        }
    rounds = [{name: _seconds(run) for name, run in runs.items()} for _ in range(effort.rounds)]
    rows = []
    for name in runs:
        clock, processors = (
            statistics.median(one[name][kind] for one in rounds) for kind in (0, 1)
        )
        by_loop = statistics.median(one[name][1] / one[HERE][1] for one in rounds)
        rows.append([name, duration(clock), duration(processors), times(by_loop)])
    title = "Many inputs: SHA-256 of 10 000 short texts"
    columns = ["where", "by the clock", "processor time of all", "by the loop's"]
    return Table(title, COMMAND, columns, rows, notes)


def _seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds by the clock, and those of processors, ended children included."""
    start, used = time.perf_counter(), _processor_time()
    run()
    return time.perf_counter() - start, _processor_time() - used


def _processor_time() -> float:
    taken = os.times()
    return sum(taken[:4])


def _way(plugin: WasmPlugin, text: str, effort: Effort) -> Table:
    """Measure what is done for a call beside the call, each for one input."""
    key, index = "0" * 64, plugin.find_tool("sha256").index
    output = plugin.execute_tool(index, text)
    payload = pickle.dumps((plugin.module.data, plugin.options))
    echo = WasmPlugin.load(example("echo"))

    def pickled(inputs: int, plugin: bytes | None = None) -> None:
        task = run_batch, key, index, [text] * inputs, plugin
        answer = Answer("worker", 0.0, [output] * inputs)
        for sent in (task, answer):
            pickle.loads(pickle.dumps(sent))

    subjects = {
        "the call itself: echo": repeating(lambda: echo.execute_tool(0, text)),
        "the call itself: SHA-256": repeating(lambda: plugin.execute_tool(index, text)),
        "pickling, in a batch of one": repeating(lambda: pickled(1)),
        f"pickling, in a batch of {BATCH}": repeating(lambda: pickled(BATCH)),
        f"the same with the plugin, {len(payload):,} bytes": repeating(lambda: pickled(1, payload)),
    }
    timings = interleaved(subjects, effort)
    medians = {name: timings.median(name) for name in subjects}
    medians[f"pickling, in a batch of {BATCH}"] /= BATCH
    for inputs in (1, BATCH):
        medians[f"there and back, in a batch of {inputs}"] = _round_trip(echo, text, inputs, effort)
    rows = [[name, duration(seconds)] for name, seconds in medians.items()]
    note = "Pickling is dumps and loads of the task and of its answer; there and back is the time"
    note += " from submit to the result of an echo in a process that waits, the echo included."
    title = "Many inputs: the way of one call"
    return Table(title, COMMAND, ["what", "for an input"], rows, [note])


def _round_trip(echo: WasmPlugin, text: str, inputs: int, effort: Effort) -> float:
    payload = pickle.dumps((echo.module.data, echo.options))
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        executor.submit(run_batch, "echo", 0, [text], payload).result()
        texts = [text] * inputs

        def there_and_back() -> object:
            return executor.submit(run_batch, "echo", 0, texts, None).result()

        subjects = {"": repeating(there_and_back)}
        return interleaved(subjects, effort, clock=time.perf_counter).median("") / inputs
