"""Simulate many clients and a server in trouble, in virtual time and reproducibly.

The middlewares are the library's own, and each request goes through them as on a socket; the
network and the server behind it are simulated.

`settings` and `benchmark` are the frame. Each scenario has a file that compares and shows
(`crowd`, `jitter`, `metastable`, `throttling`, `rate_limit`), most of them beside published
results, and where the simulation is long a second one (`crowd_simulation`, ...). They share
`simulation` (processes, arrivals, virtual time), `network` (the server and the way to it) and
`tally` (counts over time).

`trouble` compares four policies in a table of troubles, and says where the standard pipeline is
worse than nothing. `trouble_rows` is that table as data, `trouble_measures` has the measures and
tolerances by name, and `trouble_simulation` simulates one row with one policy: any arrivals, and a
server made of `trouble_server` and the choosers of `resilient.testing`.
"""
