"""A sandbox around an agent: bubblewrap, if the machine has it and lets it work, or a container.

Inside, an agent sees the system read-only, its clone, an empty home with only its CLI's own files, an own
``/tmp``, and the agent socket. The town, its database's socket, other clones, the user's keys and every
process outside are not there. Its network is its own, and leads out by a proxy (see ``tinytown_workers.network``).

::

    detection    which sandbox there is
    bubblewrap   the command that starts a program in it
    contained    the same for a container
    command      what both of them give
    view         what of the machine is seen inside, besides
    system       its system
    etc          a copy of its small files of settings
    mounts       one mount of what is seen
    reading      what of its programs is left in a review
    identity     whom programs run as where the worker is root
    lending      our files and folders that such a user may use
    logins       copies of the person's files for it
    seccomp      the system calls that nobody inside may make
    landlock     whether the kernel keeps programs out of a reviewer's memory
"""

from tinytown_workers.sandbox.bubblewrap import Sandbox
from tinytown_workers.sandbox.command import Command
from tinytown_workers.sandbox.detection import detect, of_town, try_network
from tinytown_workers.sandbox.reading import narrowed
from tinytown_workers.sandbox.view import Files, files_of

__all__ = ["Command", "Files", "Sandbox", "detect", "files_of", "narrowed", "of_town", "try_network"]
