"""Operations of the REST API; importing a module registers its routes."""

from tests.fakes.github.rest import (  # noqa: F401
    actions,
    checks,
    issues,
    pulls,
    refs,
    repos,
    reviews,
)
