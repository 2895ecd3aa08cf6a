"""Looking at what lies outside the town while missions run.

``outside`` looks at changes that people merged and at issues that items depend on, ``issues`` notices edits of the
issues that are being worked on.
"""
