"""What people do to a town that runs.

``missions`` stops, resumes, retries and merges; ``approve`` and ``witness`` let a change through on a person's word;
``agents`` spawns, pauses and ends agents.
"""
