"""Storms: what many clients do to a server in trouble, in virtual time and reproducibly.

The middlewares are the library's own, each request goes through them as it does on a
socket; what is simulated is the network and the server behind it. Each story is a file of
its own, and sets what somebody has published beside what comes out here.
"""
