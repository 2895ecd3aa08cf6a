"""What an attempt came to, in words that stay few however much an agent leaves or says."""

from __future__ import annotations

from tinytown_workers.purposes.work import _sentence
from tinytown_workers.workspace.workspace import Collected


def test_a_summary_names_what_was_left_out_and_never_all_of_it() -> None:
    def left(*refused: str) -> Collected:
        return Collected("0" * 40, changed=True, refused=refused)

    assert _sentence("done", None, good=True) == "done"
    assert _sentence("done", left(), good=True) == "done"
    assert _sentence("done", left("a: too large", "b: a link"), good=True) == "done; left out: a: too large, b: a link"
    assert _sentence("", left("a: too large", "b: a link"), good=True) == "left out: a: too large, b: a link"
    long = _sentence("x" * 60_000, left(*(f"{'n' * 5000}{number}: a link" for number in range(100_000))), good=False)
    assert long.endswith(" and 99992 more")
    assert len(long) < 3000
