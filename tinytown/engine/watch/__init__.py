"""Looking at what lies outside the town while missions run.

``outside`` looks at each item, by one function for each kind of thing that is looked at; begin there. ``base`` sees
whether the branch is there that a mission merges into, ``issues`` notices edits of the issues that are worked on,
``due`` has changes looked at as soon as that is due, ``done`` tells whether an issue is done already.
"""
