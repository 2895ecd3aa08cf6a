"""``tt``: one file a noun. Begin with ``main``, which finds the commands and ends every error.

Only this room imports click and rich. Commands import the heavy rooms (engine, state) inside their functions;
``render`` is the one place where outside text is made harmless.
"""

import os

if os.environ.get("PYTHONPATH") is not None:
    from tinytown import programs

    # Before anything is imported that a repository could have a file of the same name for.
    programs.forget_modules()
