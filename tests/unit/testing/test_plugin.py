"""The plugin for pytest, in suites of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

import resilient

pytest_plugins = ["pytester"]

ASKED_FOR_NOTHING = """
    import sys

    def test_nothing():
        assert not {"aiohttp", "attrs"} & set(sys.modules)
        # From 3.14 on pdb imports it, and pytest imports that.
        assert sys.version_info >= (3, 14) or "asyncio" not in sys.modules
        ours = {name for name in sys.modules if name.partition(".")[0] == "resilient"}
        assert ours == {
            "resilient", "resilient.support", "resilient.support.lazy",
            "resilient.testing", "resilient.testing.plugin",
        }
"""

ASYNCIO = "-p pytest_asyncio.plugin -o asyncio_default_fixture_loop_scope=function"
AUTO = f"{ASYNCIO} -o asyncio_mode=auto"
STRICT = f"{ASYNCIO} -o asyncio_mode=strict"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(Path(resilient.__file__).parents[1]))
    return pytester


OPTIONS = "-p resilient.testing.plugin -p no:cacheprovider -W error"


def run(suite: pytest.Pytester, source: str, options: str = AUTO) -> pytest.RunResult:
    suite.makepyfile(source)
    return suite.runpytest_inprocess(*OPTIONS.split(), *options.split(), "--strict-markers")


def run_apart(suite: pytest.Pytester, source: str, options: str) -> pytest.RunResult:
    """In a process of its own, which has imported nothing yet, and without other plugins."""
    suite.makepyfile(source)
    return suite.runpytest_subprocess(*OPTIONS.split(), *options.split())


class TestHarmless:
    def test_nothing_is_imported_for_those_who_do_not_ask(self, suite: pytest.Pytester) -> None:
        run_apart(suite, ASKED_FOR_NOTHING, "").assert_outcomes(passed=1)

    def test_suites_without_async_plugins_have_all_of_it(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest

            def test_fixtures(
                resilient_clock, resilient_events, resilient_handler, resilient_no_waits
            ):
                assert resilient_clock.time() == 0 == len(resilient_events)

            @pytest.mark.resilient_virtual_time
            def test_virtual_time():
                async def scenario():
                    await asyncio.sleep(1_000)
                    return asyncio.get_running_loop().time()

                assert asyncio.run(scenario()) == 1_000
        """
        run_apart(suite, source, "--strict-markers").assert_outcomes(passed=2)

    def test_no_fixture_of_it_is_used_by_itself(self, suite: pytest.Pytester) -> None:
        source = "def test_nothing(request): assert request.fixturenames == ['request']"
        run(suite, source, "").assert_outcomes(passed=1)

    def test_other_tests_keep_their_loops_and_their_waits(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest
            from resilient.clock import SystemClock
            from resilient.testing.time.virtual import VirtualTimeLoop

            ORDINARY = asyncio.new_event_loop, asyncio.events.new_event_loop
            WAKE = SystemClock.wake_after

            @pytest.mark.resilient_virtual_time
            async def test_asks(resilient_no_waits):
                assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
                assert SystemClock.wake_after is not WAKE

            async def test_does_not():
                assert not isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
                assert (asyncio.new_event_loop, asyncio.events.new_event_loop) == ORDINARY
                assert SystemClock.wake_after is WAKE
        """
        run(suite, source).assert_outcomes(passed=2)


class TestVirtualTime:
    def test_with_pytest_asyncio_fixtures_share_the_loop(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, aiohttp, pytest
            from resilient import Pipeline
            from resilient.testing import FaultServer, Reply

            @pytest.fixture
            async def session():
                async with aiohttp.ClientSession(middlewares=[Pipeline()]) as session:
                    yield session

            @pytest.mark.resilient_virtual_time
            async def test_retry_after(session):
                async with FaultServer(Reply(503, headers={"Retry-After": "30"})) as api:
                    async with session.get(api.url) as response:
                        assert response.status == 200
                assert 30 <= asyncio.get_running_loop().time() < 50
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_with_pytest_asyncio_in_strict_mode(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest, pytest_asyncio

            pytestmark = pytest.mark.resilient_virtual_time

            @pytest_asyncio.fixture
            async def begun():
                return asyncio.get_running_loop().time()

            @pytest.mark.asyncio
            async def test_asks(begun):
                await asyncio.sleep(100)
                assert asyncio.get_running_loop().time() == begun + 100 == 100
        """
        run(suite, source, STRICT).assert_outcomes(passed=1)

    def test_with_anyio(self, suite: pytest.Pytester) -> None:
        source = """
            import anyio, asyncio, pytest

            pytestmark = [pytest.mark.anyio, pytest.mark.resilient_virtual_time]

            @pytest.fixture
            def anyio_backend():
                return "asyncio"

            @pytest.fixture
            async def loop():
                yield asyncio.get_running_loop()

            async def test_with_a_fixture(loop):
                await anyio.sleep(100)
                assert asyncio.get_running_loop() is loop
                assert loop.time() == 100

            async def test_without():
                await anyio.sleep(100)
                assert asyncio.get_running_loop().time() == 100
        """
        run(suite, source, "-p anyio.pytest_plugin").assert_outcomes(passed=2)

    def test_in_test_cases_of_unittest(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest, unittest

            @pytest.mark.resilient_virtual_time
            class TestCase(unittest.IsolatedAsyncioTestCase):
                async def test_asks(self):
                    await asyncio.sleep(100)
                    assert asyncio.get_running_loop().time() == 100
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_in_tests_that_make_their_own_loop(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, contextlib, pytest

            @pytest.mark.resilient_virtual_time
            def test_asks():
                with contextlib.closing(asyncio.new_event_loop()) as loop:
                    loop.run_until_complete(asyncio.sleep(100))
                    assert loop.time() == 100
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_with_the_options_of_the_loop(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest

            @pytest.mark.resilient_virtual_time(start=5, grace=0)
            async def test_asks():
                assert asyncio.get_running_loop().time() == 5
        """
        run(suite, source).assert_outcomes(passed=1)

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ("5", "*resilient_virtual_time(5): it takes arguments by name only*"),
            ("grace=-1", "*resilient_virtual_time: VirtualTimeLoop.grace *-1*"),
            ("gracious=1", "*resilient_virtual_time: * unexpected keyword argument 'gracious'*"),
        ],
    )
    @pytest.mark.parametrize("kind", ["async def", "def"])
    def test_arguments_that_it_does_not_take_are_refused(
        self, suite: pytest.Pytester, kind: str, arguments: str, said: str
    ) -> None:
        source = f"""
            import pytest

            @pytest.mark.resilient_virtual_time({arguments})
            {kind} test_asks():
                pass
        """
        result = run(suite, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([said])

    def test_a_deadlock_fails_the_test(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest

            @pytest.mark.resilient_virtual_time
            async def test_waits_for_ever():
                await asyncio.Event().wait()

            async def test_next():
                pass
        """
        result = run(suite, source)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["E *DeadlockError: *", "E *test_waits_for_ever (*"])
        assert "def _wait(" not in str(result.stdout)

    def test_a_loop_that_others_share_stays_ordinary(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest, pytest_asyncio
            from resilient.testing.time.virtual import VirtualTimeLoop

            @pytest_asyncio.fixture(scope="session", loop_scope="session")
            async def shared():
                return asyncio.get_running_loop()

            @pytest.mark.resilient_virtual_time
            async def test_asks(shared):
                assert not isinstance(shared, VirtualTimeLoop)
                assert isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_a_test_that_would_wait_for_real_fails_at_once(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest

            @pytest.mark.asyncio(loop_scope="module")
            @pytest.mark.resilient_virtual_time
            async def test_asks():
                await asyncio.sleep(1_000)
        """
        result = run(suite, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["resilient_virtual_time: the event loop of this test is a *"])


class TestFixtures:
    def test_no_waits_returns_at_once_and_tells_the_waits(self, suite: pytest.Pytester) -> None:
        source = """
            import aiohttp, resilient
            from resilient.testing import FaultServer, Reply

            async def test_waits(resilient_no_waits, resilient_events):
                pipeline = resilient.Pipeline(listeners=[resilient_events])
                api = FaultServer(Reply(503, headers={"Retry-After": "60"}))
                async with api, aiohttp.ClientSession(middlewares=[pipeline]) as session:
                    policy = resilient.RetryPolicy(max_retry_after=60)
                    await session.get(api.url, middlewares=[resilient.Retry(policy)])
                    await session.get(api.url)
                (waited,) = resilient_no_waits
                assert waited >= 60
                resilient_events.assert_outcomes(200)
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_no_waits_lets_those_pass_whom_guards_hold_back(self, suite: pytest.Pytester) -> None:
        source = """
            import asyncio, pytest
            from tests.guards import Bulkhead, Gate, GateClosedError, Pace, Runner, turns

            async def test_in_their_order(resilient_no_waits):
                async with Runner(Pace(60.0)) as runner:
                    await asyncio.gather(*runner.start(*range(50)))
                assert runner.names == [*range(50)]
                assert len(resilient_no_waits) == 49
                assert max(resilient_no_waits) == pytest.approx(49 * 60.0, abs=10)

            async def test_at_the_end_of_their_patience(resilient_no_waits):
                gate = Gate(patience=60.0)
                gate.shut()
                async with Runner(gate) as runner:
                    with pytest.raises(GateClosedError):
                        await runner.attempt("one")
                assert sum(resilient_no_waits) == pytest.approx(60)

            async def test_and_leaves_waits_without_a_time(resilient_no_waits):
                async with Runner(Bulkhead(1), seconds=0.01) as runner:
                    await asyncio.gather(*runner.start(*range(3)))
                assert (runner.most, runner.names) == (1, [0, 1, 2])
                assert resilient_no_waits == []
        """
        run(suite, source).assert_outcomes(passed=3)

    def test_a_handler_has_to_be_done_in_the_end(self, suite: pytest.Pytester) -> None:
        source = """
            def test_done(resilient_handler):
                pass

            def test_not_done(resilient_handler):
                resilient_handler.expect("GET", "/meetings")
        """
        result = run(suite, source)
        result.assert_outcomes(passed=2, errors=1)
        result.stdout.fnmatch_lines(["*1 of 1 requests never came*"])

    def test_they_go_together(self, suite: pytest.Pytester) -> None:
        source = """
            from resilient import Pipeline

            async def test_all(resilient_handler, resilient_clock, resilient_events):
                resilient_clock.draw = 0.0
                resilient_handler.expect().reply(429, headers={"Retry-After": "30"})
                resilient_handler.expect().reply(json={"ok": True})
                pipeline = Pipeline(clock=resilient_clock, listeners=[resilient_events])
                response = await resilient_handler.run(pipeline, "POST", "https://api.example/")
                assert await response.json() == {"ok": True}
                resilient_events.assert_held(by="throttle")
                assert resilient_clock.sleeps == [30]
        """
        run(suite, source).assert_outcomes(passed=1)

    def test_an_assertion_of_the_log_shows_the_line_of_the_test(
        self, suite: pytest.Pytester
    ) -> None:
        result = run(suite, "def test_it(resilient_events): resilient_events.assert_attempts(1)")
        result.stdout.fnmatch_lines(["*resilient_events.assert_attempts(1)", "E*1 attempt, and*"])
        assert "_fail(" not in str(result.stdout)


def test_fixtures_and_the_marker_say_what_they_are(suite: pytest.Pytester) -> None:
    listing = suite.runpytest_inprocess(*OPTIONS.split(), "--fixtures").stdout
    for name in ("clock", "events", "handler", "no_waits"):
        listing.fnmatch_lines([f"resilient_{name} *"])
    assert "no docstring available" not in str(listing).partition("resilient_")[2]
    markers = suite.runpytest_inprocess(*OPTIONS.split(), "--markers").stdout
    markers.fnmatch_lines(["@pytest.mark.resilient_virtual_time(*"])
