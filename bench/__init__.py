"""Measurements of tinytown next to bare Celery and bare Python, in one run: ``make bench``.

Absolute figures tell about the machine; the ratios tell about tinytown. ``shapes`` are the graphs, ``places``
the folders and processes, ``missions`` measures tinytown, ``baseline`` a Celery worker with nothing but a counter,
``singles`` what needs no server, ``github`` what missions ask of GitHub.
"""
