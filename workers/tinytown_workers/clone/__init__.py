"""Clones as files: made, filled, copied and removed without running git inside what an agent can write.

``clone`` makes and reads them; begin there. ``lfs_files``, ``submodules`` and ``index_file`` fill them, ``mounts``
keeps everything on its own file system, ``copy_tree``, ``remove_entry`` and ``remove_tree`` follow no link.
"""
