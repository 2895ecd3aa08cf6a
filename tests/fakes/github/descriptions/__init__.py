"""GitHub's own descriptions of its API, cut down to what we use; ``extract`` makes them again from the npm packages."""
