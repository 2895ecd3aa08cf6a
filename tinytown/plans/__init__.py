"""Plans: the tasks in ``tasks.toml``, read, understood, compared and written back. Begin with ``model``.

``reader`` makes a plan of a file's text, or names all that is wrong with it; ``stages`` says which task waits for which
and why; ``difference`` compares what was recorded with what the file says now; ``writer`` puts states, results and new
tasks into the text; ``template`` is what a new file says, ``view`` what a plan is as JSON. All of it is pure: texts and
records in, texts and records out. Of missions it knows the states of items, and nothing else.
"""
