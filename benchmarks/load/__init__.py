"""Measure what policies do to calls, and to the server, while the server is in trouble.

It uses real sockets on loopback. A server with seeded faults runs in a process of its own;
several worker processes make calls that do not wait for one another. Each policy gets the same
arrivals and the same sequence of faults, one policy after another, with a new server and new
sessions.

`settings` chooses what to measure and `benchmark` measures it. `scenarios` lists the kinds of
trouble, and `run` measures one policy in one of them. `worker_pool` starts the processes, and
`worker` is the code that runs in them: `generator` makes the calls when they are due, and
`tally` counts them. `tables`, `charts` and `notes` show the results, and `targets` judges them.
"""
