"""A GitHub on this machine: a real HTTP server over real git, that remembers what happened to it.

What a test says and what tinytown sends meet in one state, so a pull request moves with its branch, conflicts are
git's own, and a merge makes the commit that its method makes::

    github = GitHub(tmp_path / "github")                      # the repository is octo/site
    with github.running():
        token = github.token("tinytown")                      # a classic one; the kinds are in `people`
        github.person("tinytown", "write")
        github.issue(1, "Add a login", "So that people can log in", author="ann", labels=["role:backend"])
        github.protect("main", checks=["ci", ("build", "my-app")], reviews=1, strict=True)

        github.push_by("tinytown", "tt/one", {"src/app.py": "one\\n"})  # or tinytown does, with github.clone_url()
        github.open_pull("tinytown", "tt/one", "Add a login", "Closes #1")  # or it does, with github.base_url
        github.check("ci", "failure", log="1 failed\\n")        # of the newest pull request; pull=… or sha=…
        github.check("Cursor Bugbot", "neutral", app="cursor", summary="found 1 issue")
        github.status("CodeRabbit", "success", "Review rate limited", by="coderabbitai[bot]")
        github.review("ann", "CHANGES_REQUESTED", "Say why")
        thread = github.thread("ann", "src/app.py", 1, "Is that so?")
        github.push_by("ann", "main", {"src/app.py": "other\\n"})  # now it conflicts
        github.workflow("CI", {"test": "success", "finish": JobPlan(needs=("test",))}, takes=5)
        github.reply("ann", thread, "It is not")
        github.clock.advance(60)
        github.close_pull(by="ann")                           # or github.merge_by("ann")

        github.fault("PUT", "/repos/*/pulls/*/merge", 502, effect=True)   # it landed, and was answered with 502
        github.fault("POST", "/repos/*/pulls", drop=True, effect=True)    # … or not answered at all
        github.after_write.append(kill)                        # called after each write, before its answer

        assert github.writes("POST", "/repos/*/pulls") == []   # none was asked for over HTTP
        assert violations(github.seen) == []                   # of GitHub's own description of its API

By default nothing runs on a pull request; ``workflow`` sets up what does, ``runs_workflow_files`` has what the commit's
own files say be run, and one that conflicts from its first moment gets none of it, as there. Begin to read in ``story``
(what can be told) and ``hub`` (what is served).
"""
