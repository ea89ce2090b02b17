"""All that aiohttp does not publish; the one room to read when it makes a release."""
