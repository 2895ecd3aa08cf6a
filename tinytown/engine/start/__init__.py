"""From issues to a mission that runs: read, compile, save, send.

``start`` does it, ``preview`` shows what it would do and changes nothing. ``base_check`` finds out whether the checks
pass before anybody works, ``crew`` which agents are there, ``documents`` and ``prompts`` read the files that briefs
quote,
``open_issues`` finds all issues that a mission could take.
"""
