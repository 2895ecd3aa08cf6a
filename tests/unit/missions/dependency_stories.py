"""Bodies on which readers agree, written before the parser was looked at: stories, and waiting told in many ways."""

from __future__ import annotations

#: Text, edges as in ``dependency_bodies``.
STORIES: list[tuple[str, str]] = [
    # Stories of what came after, in more words.
    ("After merging #3, CI complains about a missing import.", ""),
    ("After #3, CI needs a new token.", "3"),
    ("After #3, `app run` prints a warning.", ""),
    ("Performance after #3 is much worse than before.", ""),
    ("After #3 is completely done, start here.", "3"),
    ("Memory usage doubled after #3.", ""),
    ("Can safely be merged after #3.", "3"),
    ("Works for me after #3.", ""),
    ("Requests are blocked by the firewall after #3.", ""),
    ("A lot of people rely on #3.", ""),
    ("After finish #3 we can do it.", "3"),
    # Blocks and starts, told from their other end.
    ("**Waiting on this:** #3", ""),
    ("Blocked by this issue: #3, #4", ""),
    ("Blocked by these issues: #3, #4", "3 4"),
    ("It's blocked for #3", "3"),
    ("Reuse the writer from #3. That one isn't merged, so this is blocked until then.", "3"),
    ("Since the client isn't ready this has to wait for #3.", "3"),
    ("Since this isn't waiting for #3, start.", ""),
    ("As long as #3 isn't done, there's no point in starting here.", "3"),
    ("As long as #3 isn't done, keep the flag.", ""),
    ("There is no point in starting this before #3 is done.", "3"),
    ("Checklist before starting:\n- [ ] #3 merged", "3"),
    ("**Is there anything that blocks this?**\n#3", "3"),
    ("**Is there anything that blocks this?**\nNo. But have a look at #3.", ""),
    ("**Dependencies?** #3", "3"),
    ("**Dependencies?** none (#3 is done)", ""),
    ("Previous step: #3 (must be done)", "3"),
    ("First must be finished #3.", "3"),
    # Others who wait, and what an article makes a chore.
    ("Requires a restart after #3, please document.", ""),
    ("The view is blocked while #3's spinner is shown.", ""),
    ("cc @ann who is blocked by #3", ""),
    ("Everything here depends on #3 being done.", "3"),
    ("Everything depends on #3.", ""),
    # Blocks with a reason, and what an issue makes possible.
    ("We're stuck here because of #3.", "3"),
    ("Blocked because #3 isn't merged yet.", "3"),
    ("Not blocked because of #3.", ""),
    ("Backend support is missing, that's #3. Blocked until it's done.", "3"),
    ("Possible once we have #3.", "3"),
    ("Not possible until we have #3.", "3"),
    ("We can do this when #3 is done.", "3"),
    ("We can close this when #3 is done.", ""),
    # What is said to be required.
    ("I need #3 for this.", "3"),
    ("I need #3 for a demo.", ""),
    ("To do this, #3 is required.", "3"),
    ("To see this, merge #3 first if you want.", ""),
    ("#3 is required.", "3"),
    ("#3 isn't required.", ""),
    ("#3 is required by #4.", ""),
    ("#3 is necessary before starting", "3"),
    ("Has to be done in this order: #3, then this.", "3"),
    ("Do #3, then this.", "3"),
    ("Don't do #3, then this.", ""),
]
