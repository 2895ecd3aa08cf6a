"""What only this repository needs: nothing here is shipped. Run a tool as ``python -m tools.NAME``."""
