"""One run of an agent's process: started, limited, listened to, and ended with all its children.

``runner`` is the worker's side and ``guard`` the small process that owns the tree (``guard_client`` speaks with it);
begin with these. ``run_spec`` is what a run is given and how it ended, ``supervision`` follows one to its end, ``hold``
and ``standstill`` let it stand still, ``pulse`` renews leases, and ``runners`` has a runner for each run at the same
time. ``agent_socket`` is what ``tt`` inside a run speaks to, ``agent_commands`` what it may ask, ``caller`` who is
asking. ``environment`` is what a run sees of the worker's, ``networks`` serves its way out, ``repetition`` ends an
agent that only says again that its model does not answer, ``streams`` and ``announce`` belong to the guard,
``orphans`` finds processes that have no guard any more.
"""
