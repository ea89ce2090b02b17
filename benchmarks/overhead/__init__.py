"""Measure what the middlewares cost, beside what people use instead.

`benchmark` puts the parts together, a module each; they measure the wrappers of `ours` and of
`peers`, a file for each library, all at the settings of `common_settings`, and set them beside
the two of `references`.
"""
