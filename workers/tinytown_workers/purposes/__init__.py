"""Attempts by what they are for: ``work`` writes, ``review`` judges, ``checks`` runs the checks, ``merge`` merges.

``brief_inputs`` gathers what an agent is told. Begin with ``work``.
"""
