"""From issues to a mission that runs: read, compile, save, send.

``start`` does it, ``preview`` shows what it would do and changes nothing. ``base_check`` asks whether the checks pass
before anybody works, ``crew`` who is there to work, ``documents`` and ``prompts`` read the files that briefs quote,
``open_issues`` finds all issues that a mission could take.
"""
