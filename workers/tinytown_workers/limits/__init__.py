"""What a run may use up: ``quota`` says how much, ``cgroups`` has the kernel keep it, ``arguments`` bounds a start."""
