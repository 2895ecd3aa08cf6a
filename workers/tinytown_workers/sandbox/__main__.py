"""Tells why agents would share the machine's network, for ``tt doctor``: nothing where they have one of their own."""

import sys

from tinytown_workers.sandbox.detection import try_bwrap, try_network

sys.stdout.write(try_bwrap() or try_network())
