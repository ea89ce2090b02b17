"""What policies do to calls, and to the service called, when the service is in trouble.

Real sockets on loopback. A server with seeded faults in a process of its own; calls from
several worker processes that do not wait for one another; the same arrivals and the same row
of faults for each policy, one policy after the other, each with a server and sessions of its
own.

`settings` says what to measure and `benchmark` measures it. `scenarios` has the troubles;
`run` is one policy in one of them; `worker_pool` and `worker` are the two sides of the workers,
which come by their calls in `arrivals`, make them in `generator` by way of `caller`, and count
them in a `tally` and its `latencies`. `recovery` looks at what came after an outage; `tables`,
`charts` and `notes` say what was found, and `target_tables` how far it is what it should be.
"""
