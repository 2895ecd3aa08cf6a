"""Towns in real containers: the images and the compose file of `docker/`, built and run by podman."""
