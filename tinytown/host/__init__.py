"""The machine's side of a town: its processes, its server, its folder. It knows nothing of missions.

``lifecycle`` starts and stops a town; begin there. ``supervisor`` keeps the processes alive that ``process_specs``
asks for, ``shutdown`` ends them in order, ``watchdog`` brings a dead supervisor back, ``renewal`` replaces processes
whose code was updated, ``seats`` says which agents a process serves. ``server`` finds, starts and watches the database
server (``server_binary`` finds its program, ``server_answer`` waits for it, ``access`` says whether it is open to
agents), ``visit`` starts it alone, to read from a stopped town. ``init`` makes a repository a town, ``place`` notices a
town that was copied or moved, ``confinement`` says how well agents are confined.
It may import ``state`` and what lies below it.
"""
