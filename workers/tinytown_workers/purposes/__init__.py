"""Attempts by what they are for: ``work`` writes, ``review`` judges, ``checks`` runs the checks, ``merge`` merges.

``brief_inputs`` gathers what an agent is told, ``approval_lines`` finds the line that approves in a change. Begin with
``work``.
"""
