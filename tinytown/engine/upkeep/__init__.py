"""What people do to a town as a whole: ``save`` it into one file, ``restore`` it from there, ``reset`` it,
``migrate`` its records.

Begin with ``save``; ``tinytown.archive`` is the file, ``state.snapshot`` the records at one moment.
"""
