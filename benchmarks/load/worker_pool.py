"""Start worker processes and give them jobs."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from types import TracebackType
from typing import Self

from benchmarks.load.tally import Tally
from benchmarks.load.worker import Job
from resilient.errors import ConfigError
from resilient.testing.server.worker import Worker

__all__ = ["WorkerPool"]

# Seconds between two reports of progress.
_STEP = 0.25

# Seconds until a process has to be ready.
_START = 60.0

# Seconds that a process gets to end by itself.
_END = 5.0


class WorkerPool:
    """A context manager of processes that make calls; they end with it.

    Args:
        workers: The number of processes.

    Raises:
        RuntimeError: On entering: a process has ended, or was not ready in time.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._processes: list[Worker] = []

    def __enter__(self) -> Self:
        try:
            for number in range(1, self.workers + 1):
                self._processes.append(Worker("benchmarks.load.worker", f"load worker {number}"))
            for process in self._processes:
                process.exchange(pickle.dumps(None), _START)
        except BaseException:
            self._end(at_once=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(at_once=error is not None)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process identifiers."""
        return tuple(each.pid for each in self._processes)

    def run_jobs(
        self, jobs: Sequence[Job], *, timeout: float, on_progress: Callable[[float], object]
    ) -> Tally:
        """Give each worker its job, and wait until all are done.

        Args:
            jobs: One job for each worker.
            timeout: Seconds within which all have to be done.
            on_progress: Called now and then with the seconds that have passed since the last time.

        Returns:
            The counts of all workers together.

        Raises:
            ConfigError: A policy does not pickle.
            RuntimeError: A worker has ended, or took too long.
        """
        commands = [_pickled(job) for job in jobs]
        with ThreadPoolExecutor(self.workers) as threads:
            asked = [
                threads.submit(process.exchange, command, timeout)
                for process, command in zip(self._processes, commands, strict=True)
            ]
            try:
                last = time.monotonic()
                while not all(each.done() for each in asked):
                    done, _ = wait(asked, _STEP, return_when=FIRST_EXCEPTION)
                    now = time.monotonic()
                    on_progress(now - last)
                    last = now
                    for each in done:
                        each.result()
            except BaseException:
                # This ends the threads, which wait for answers that are not needed any more.
                for process in self._processes:
                    process.kill()
                raise
        tally = Tally()
        for each in asked:
            tally.add(each.result())
        return tally

    def _end(self, *, at_once: bool) -> None:
        processes, self._processes = self._processes, []
        for process in processes:
            if at_once:
                process.kill()
        for process in processes:
            with suppress(OSError):
                process.end(_END)


def _pickled(job: Job) -> bytes:
    try:
        return pickle.dumps(job)
    except Exception as error:  # the user's objects may raise anything
        raise ConfigError(
            f"the policy {job.policy.name!r} has to be sent to another process, "
            f"which cannot be: {error}"
        ) from error
