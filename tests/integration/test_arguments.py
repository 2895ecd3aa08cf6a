"""What a program can be given at its start, measured against the kernel of this machine."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from tinytown.agents.arguments import ARGUMENT_BYTES, fits
from tinytown.errors import ConfigurationError
from tinytown_workers.limits.arguments import require_room

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems limit only the whole")


@linux
@pytest.mark.parametrize("text", ["x" * ARGUMENT_BYTES, "漢" * (ARGUMENT_BYTES // 3), "é" * (ARGUMENT_BYTES // 2)])
def test_what_fits_is_what_the_kernel_takes(text: str) -> None:
    assert fits(text)
    require_room(["true", text], {})
    assert subprocess.run(["true", text], check=False).returncode == 0
    longer = text + "xxx"
    assert not fits(longer)
    with pytest.raises(ConfigurationError, match=f"argument 1 of `true` has {len(longer.encode())} bytes"):
        require_room(["true", longer], {})
    with pytest.raises(OSError, match="too long") as caught:
        subprocess.run(["true", longer], check=False)
    assert caught.value.errno == errno.E2BIG


@linux
def test_a_variable_counts_like_an_argument() -> None:
    with pytest.raises(ConfigurationError, match="variable NOTES for `agent`"):
        require_room(["/opt/agent"], {"NOTES": "漢" * 50_000})


def test_many_that_fit_alone_may_be_too_much_together() -> None:
    words = ["x" * 100_000] * 100
    with pytest.raises(ConfigurationError, match="together"):
        require_room(["true", *words], {})
