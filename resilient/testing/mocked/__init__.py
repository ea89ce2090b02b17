"""Mocked answers inside aiohttp: the parts of `resilient.testing.aioresponses`."""

__all__: list[str] = []
