"""Making a clone ready to be worked in: ``[workspace]``, and what configures agents.

``setup`` copies files and runs the setup commands, ``cache`` keeps folders for later clones, ``agent_configuration``
decides which of the repository's files an agent CLI may obey.
"""
