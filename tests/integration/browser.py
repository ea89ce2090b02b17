"""A headless Chromium, told what to do over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
from attrs import define, field

__all__ = ["Page", "find_chromium", "opened_page"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
)


def find_chromium() -> str | None:
    """Return the path of a Chromium: that in $CHROMIUM, or the first on the path; None without."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@define
class Page:
    """A page of a browser.

    Attributes:
        socket: The socket of its DevTools.
    """

    socket: aiohttp.ClientWebSocketResponse
    _numbers: Any = field(factory=itertools.count, init=False)

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out a command of the protocol, and return what it answers."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json(timeout=10)
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                result: dict[str, Any] = message["result"]
                return result

    async def look(self, width: int, theme: Literal["light", "dark"]) -> None:
        """Make the window so wide and as high as the page, in a theme."""
        scheme = {"name": "prefers-color-scheme", "value": theme}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        await self._resize(width, 800)
        height = await self.run("document.documentElement.scrollHeight")
        await self._resize(width, int(height))

    async def _resize(self, width: int, height: int) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    async def open(self, html: str) -> None:
        """Show a page, with all that can be unfolded unfolded."""
        frames = await self.send("Page.getFrameTree")
        frame = frames["frameTree"]["frame"]["id"]
        await self.send("Page.setDocumentContent", frameId=frame, html=html)
        await self.run("document.querySelectorAll('details').forEach(each => { each.open = true })")

    async def run(self, script: str) -> Any:
        """Return the value of an expression."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def picture(self) -> bytes:
        """Return the whole window as a PNG."""
        answer = await self.send("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


@asynccontextmanager
async def opened_page(chromium: str, folder: Path) -> AsyncIterator[Page]:
    """Start a browser whose files are in a folder, and give its page; end it afterwards."""
    # Its sandbox refuses to run as root, as in a container.
    alone = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        chromium,
        *_OPTIONS,
        *alone,
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(30):
            port = await _port(folder / "DevToolsActivePort", process)
        async with aiohttp.ClientSession(trust_env=False) as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as response:
                targets = await response.json()
            url = next(each for each in targets if each["type"] == "page")["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    """Wait for the file in which the browser says where it listens."""
    while True:
        assert process.returncode is None, f"the browser ended with {process.returncode}"
        if lines := _lines(file):
            return int(lines[0])
        await asyncio.sleep(0.02)


def _lines(file: Path) -> list[str]:
    """Return the lines of a file that is all there; else nothing."""
    text = file.read_text("utf-8") if file.exists() else ""
    return text.splitlines() if "\n" in text else []
