"""Mocked answers on aiohttp's own ground: what `resilient.testing.aioresponses` is made of."""

__all__: list[str] = []
