"""Composable aiohttp client middlewares that make calls to other people's APIs survive."""
