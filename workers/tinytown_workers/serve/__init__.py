"""Whom a worker process serves: its agents as slots, which of them are there, and that they are alive.

``slots`` says who takes what, ``roster`` follows who shall be served and announces it.
"""
