"""Read a file of services anew whenever it changes.

- The folders of the files are watched, not the files: editors write another file and rename it, and
  a mounted ConfigMap changes a link beside it. What counts is that the content is another one.
- A file in which something is wrong changes nothing; it is told, and the next change is awaited.
- A file that an unreadable one would include is in no folder that anybody knows. So while something
  is wrong, the files are read again every few seconds as well.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from hashlib import file_digest
from typing import Any, Final

from attrs import define, field

from resilient.errors import ConfigError
from resilient.services.config.reading import read_services
from resilient.services.middleware import Services

__all__ = ["watch_services"]

# Milliseconds: how long changes are gathered, and how often files are read while they are wrong.
_GATHERED: Final = 100
_LOOKS_EVERY: Final = 5_000


@asynccontextmanager
async def watch_services(
    services: Services,
    path: str | os.PathLike[str],
    *,
    code: bool | Iterable[str] = False,
    environ: bool | Mapping[str, str] = False,
) -> AsyncIterator[None]:
    """Reload services whenever their file changes, or one that it includes.

        services = resilient.load_services("resilient.toml")
        async with resilient.watch_services(services, "resilient.toml"):
            ...

    Each change is as `Services.reload` has it. What is wrong with a file is told to listeners and
    the log, and the services stay as they were until it is mended. This needs the extra `watch`.

    Args:
        services: The services.
        path: The path of the file.
        code: The code that it may name, as for `load_services`.
        environ: Variables that outrank it, as for `load_services`.

    Raises:
        ModuleNotFoundError: The extra `watch` is not installed.
    """
    try:
        import watchfiles
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'watching a file of services needs watchfiles: pip install "resilient-aiohttp[watch]"',
            name="watchfiles",
        ) from error
    watcher = _Watcher(services, os.fsdecode(path), code, environ)
    stop = asyncio.Event()

    async def run() -> None:
        while not stop.is_set():
            folders = watcher.folders
            async for _ in watchfiles.awatch(
                *folders,
                watch_filter=None,
                debounce=_GATHERED,
                rust_timeout=_LOOKS_EVERY,
                yield_on_timeout=True,
                recursive=False,
                stop_event=stop,
            ):
                watcher.look()
                if watcher.folders != folders:
                    break

    task = asyncio.create_task(run(), name="resilient watch_services")
    try:
        # Once it watches, look whether the file has changed since it was loaded.
        await asyncio.sleep(0)
        watcher.look()
        yield
    finally:
        stop.set()
        task.cancel()
        # Not `await task`: its cancellation could not be told from our own.
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


@define
class _Watcher:
    """Reloads services if the content of their files is another one.

    Attributes:
        folders: The folders of the files, as far as they are known.
    """

    services: Services
    path: str
    code: bool | Iterable[str]
    environ: bool | Mapping[str, str]
    folders: set[str] = field(init=False)
    _files: tuple[str, ...] = field(init=False)
    _seen: Any = field(default=None, init=False)
    _said: str | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._know((self.path,))

    def _know(self, files: tuple[str, ...]) -> None:
        self._files = files
        folders = {os.path.dirname(os.path.abspath(each)) for each in files}
        self.folders = {each for each in folders if os.path.isdir(each)}

    def look(self) -> None:
        """Reload, if anything changed since the last time, or if something was wrong."""
        content = self._content()
        if content == self._seen and self._said is None:
            return
        self._seen = content
        try:
            read = read_services(self.path, self.code, self.environ)
            self.services._replace(read.services, read.default, self.path)
        except ConfigError as error:
            self._refuse(error)
        except ModuleNotFoundError as error:  # of OpenTelemetry, which a policy asks for now
            self._refuse(ConfigError(f"{self.path}: {error}", file=self.path))
        else:
            self._said = None
            self._know(read.files)
            self._seen = self._content()

    def _refuse(self, error: ConfigError) -> None:
        # The same again and again is no news.
        if str(error) != self._said:
            self._said = str(error)
            self.services._refuse(error, self.path)

    def _content(self) -> list[bytes | None]:
        return [_digest(each) for each in self._files]


def _digest(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return None
