"""A container of podman's or docker's around an agent, in place of bubblewrap's sandbox.

What is seen inside is decided by ``sandbox`` and told as bubblewrap's options; here it becomes a container.

::

    layout      the mounts and prepared folders that show the same as those options
    engine      which program there is, and the command that starts a container
    carrier     runs beside the guard: starts the container, hands it the run's open files, carries signals
    inner       the first process inside: starts the program, and ends everything when the carrier is gone

Begin with ``carrier``. It and ``inner`` use the standard library alone.
"""
