"""What keeps a change from merging, judged from evidence alone."""
