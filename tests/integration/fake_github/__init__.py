"""The GitHub that the tests play is itself tested: with PyGithub, with git, and against GitHub's own description."""
