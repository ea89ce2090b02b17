"""A process that is asked over a pipe."""

import pickle

import pytest

from resilient.testing.server.worker import Worker


def test_a_worker_is_called_what_it_is_when_it_fails() -> None:
    worker = Worker("resilient.testing.server.child", "the clerk")
    worker.kill()
    try:
        with pytest.raises(RuntimeError, match="the clerk has ended with code -9"):
            worker.exchange(pickle.dumps(None), timeout=10)
    finally:
        worker.end(10)
