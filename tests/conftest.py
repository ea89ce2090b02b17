"""What all tests share: the signal that some of them send to processes they start."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C through, also where the tests were started in the background of a script.

    A shell has such commands ignore it, and they hand that on to what they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
