"""Run `resilient demo`: a server that misbehaves, and calls that survive it.

`scenario` and `documented` are what the server does, `run` makes the calls and counts,
`facts` is what it has counted, `show` (with `rows`) prints that, and `play` puts them together.
"""
