"""The hub: real git over paths and HTTP, cut off, emptied, refused and raced for."""
