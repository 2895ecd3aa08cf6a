"""What GitHub does by itself: judging mergeability, moving pull requests with their branches, running workflows."""
