"""Measure what the middlewares cost, beside what people use instead.

`benchmark` puts the parts together; `calls`, `refusals`, `sockets`, `memory` and `imports`
measure one thing each. They measure the wrappers of `ours` and of `peers`, a file for each
library, all at the settings of `common_settings`.
"""
