"""What is shown of missions and items, as plain data: for the terminal, for scripts, and for whatever comes.

``missions`` is the state of missions and of the town, ``items`` everything about one work item. Nothing is changed.
"""
