"""The vendors' own CLIs, driven through ``tt``: ``make vendors`` installs and tries them; ``make check`` does not."""
