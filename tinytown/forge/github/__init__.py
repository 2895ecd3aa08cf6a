"""The GitHub forge. Only this room imports PyGithub.

``issues`` is the contract carried out; begin there. ``client`` asks within a deadline, ``faults`` puts errors into
our words, ``people`` tells who may write, ``site`` which GitHub it is and with which token.
"""
