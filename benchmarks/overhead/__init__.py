"""What the middlewares cost, beside what people use instead.

`benchmark.py` puts it together: each other module measures one thing. What is measured are the
wrappers of `ours.py` and of `peers/`, a file for each library, all at the settings of `common.py`.
"""
