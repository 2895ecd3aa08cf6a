"""Every key of a town, in one place.

All keys begin with ``tt:<town id>:``. A *record* is stored as ``<version>\\n<json>``; a change names the
version it read. Times in records are seconds, scores of ``leases`` and ``alive`` milliseconds, all by the
server's clock.

==============================  ======  ======================================================================
key                             type    meaning
==============================  ======  ======================================================================
``epoch``                       string  proof that the database is the one this town wrote
``schema``                      string  form of the records that were written here last; a newer one is refused
``missions``                    zset    id -> created
``live``                        set     missions that have not ended
``plan``                        string  the mission whose items are the tasks of the town's plan
``hand``                        string  the mission that takes the next task that is given by hand
``tasks``                       hash    id of a task that was given by hand -> its mission
``tasks:number``                string  number of the last of them
``once:<name>``                 string  that a commit of this random name was made; ends by itself
``backlog``                     hash    id of an entry of the backlog -> record
``backlog:lines``               zset    entries in the lines of those who may take them, as ``<line> <number>``
``backlog:number``              string  number of the last of them
``backlog:taken``               hash    agent -> mission and key of the task that it last took from it by itself
``questions``                   hash    mission of a run of the unattended conductor -> record of what it was asked
``questions:number``            string  how many questions it was ever given
``issues``                      hash    issue key (folded) -> mission that works on it
``mission:<id>``                hash    ``head`` record; ``graph``, ``canvas``, ``objectives``, ``docs``, ``prompts``:
                                        written once; ``indexed``: form of the indexes below, made anew where it is
                                        another. Of a plan also ``plan``, its file as it was recorded, and
                                        ``edition``: how often the plan, and with it these, were changed
``mission:<id>:items``          hash    item key -> record
``mission:<id>:lanes``          zset    due items that wait for no time, as ``<line> <order> <key>``
``mission:<id>:later``          zset    due items that wait for a time -> that time
``mission:<id>:opens``          set     items by whose settling, or start, others may have become startable
``mission:<id>:notable``        set     items that a person may be asked about, or that something outside may move
``mission:<id>:counts``         hash    state -> number of items; sent and running ones are ``at_work``
``mission:<id>:tally``          hash    ``<state> tag <tag>``, ``<state> whose <agent or role>`` -> number of tasks
``mission:<id>:due``            set     of an older release; removed when the indexes are made anew
``mission:<id>:issues``         hash    item key -> issue as it was read
``mission:<id>:watches``        hash    item key -> what was seen of its change at a remote forge
``mission:<id>:attempts``       hash    ``<item key>/<number>`` -> finished attempt
``mission:<id>:results``        hash    item key -> result text of its last work or fix
``mission:<id>:events``         stream  history, capped
``events``                      stream  history of the town, capped
``attempts``                    hash    attempt id -> live attempt (sent or claimed)
``leases``                      zset    attempt id -> end of its lease
``admissions``                  string  version of what admissions are decided from
``wanting``                     set     missions with items that wait for a worker
``limits``                      hash    ``<CLI>@<machine>`` -> usage limit that was reached
``agents``                      hash    agent name -> record
``spent``                       hash    ``<day>/<what>``, days since 1970 -> what the runs of that day used: ``nano``
                                        (of a dollar), ``tokens``, ``runs``, ``untold`` (runs that told no cost), and
                                        limits of that day: ``raised``, ``asked``; ``started``: when the last run began
``disks``                       hash    machine whose disks have no room for a run -> until when that counts, and what
                                        is missing
``costs``                       hash    ``<role>/<CLI>`` -> what the last such runs used, as ``<nanodollars>:<tokens>``
``rounds``                      hash    agent name -> runs that it began since it was started
``alive``                       zset    agent name -> end of its presence
``mail:<name>``                 stream  mailbox, capped
``mail:<name>:seen``            string  position up to which a person read it
``mail:<name>:pending``         hash    ``<kind> <id>`` -> message that the agent has not got in a finished brief yet
``messages:number``             string  number of the last message
``messages:open``               hash    agent, or ``<agent>/held`` -> ``<mission> <key>`` of the item that takes the
                                        next message to it, as long as it has not begun
``messages:due``                set     ``<agent> <mission> <key>`` of due items that answer messages
``messages:rate``               hash    ``<sender> <to>`` -> times of the last messages between two agents
``hosts``                       hash    name of a host -> record
``hosts:alive``                 zset    name of a host -> end of its lease
``host:<name>:words``           list    what makes a host look at once at what is on record, capped
``host:answer:<name>``          list    what hosts answered to one question; ends by itself
``settings``                    string  the town's settings without secrets, as its home tells them to its hosts
``tail:<key>``                  hash    log or brief of the attempt of this id -> the last part of it; ends by itself
``duty:<name>``                 string  lease of a periodic duty
``ticks``                       hash    duty -> when it last ran
``ticks:took``                  hash    duty -> seconds that it took then
``forge:away``                  string  since when and why a remote forge does not answer, as JSON; ends by itself
``notices``                     list    news for the command of ``[notify]`` that were not sent yet, as JSON
``notices:sending``             list    those that are being sent
``notices:failed``              string  why the last one could not be sent, as JSON
``archived``                    zset    missions whose records are in files: id -> created
``archived:done``               hash    issue key -> the mission among these that did it, and a hash of its text
``damaged``                     zset    missions set aside, whose records cannot be read: id -> created
``quarantine:<name>``           list    messages of that queue that no worker survives, as they were; never emptied
``saving:<name>:<key>``         any     copy of a record that is being saved; ends by itself
``restoring:<name>:<key>``      any     record that is to take its place; ends by itself
==============================  ======  ======================================================================

Celery's own keys (queues, chord counters) share the prefix.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Key names under one prefix."""

    prefix: str

    @property
    def epoch(self) -> str:
        return f"{self.prefix}epoch"

    @property
    def schema(self) -> str:
        return f"{self.prefix}schema"

    @property
    def missions(self) -> str:
        return f"{self.prefix}missions"

    @property
    def plan(self) -> str:
        return f"{self.prefix}plan"

    @property
    def hand(self) -> str:
        return f"{self.prefix}hand"

    @property
    def tasks(self) -> str:
        return f"{self.prefix}tasks"

    @property
    def tasks_number(self) -> str:
        return f"{self.prefix}tasks:number"

    @property
    def questions(self) -> str:
        return f"{self.prefix}questions"

    @property
    def questions_number(self) -> str:
        return f"{self.prefix}questions:number"

    def once(self, name: str) -> str:
        return f"{self.prefix}once:{name}"

    @property
    def backlog(self) -> str:
        return f"{self.prefix}backlog"

    @property
    def backlog_lines(self) -> str:
        return f"{self.prefix}backlog:lines"

    @property
    def backlog_number(self) -> str:
        return f"{self.prefix}backlog:number"

    @property
    def backlog_taken(self) -> str:
        return f"{self.prefix}backlog:taken"

    @property
    def live(self) -> str:
        return f"{self.prefix}live"

    @property
    def issues(self) -> str:
        return f"{self.prefix}issues"

    @property
    def events(self) -> str:
        return f"{self.prefix}events"

    @property
    def attempts(self) -> str:
        return f"{self.prefix}attempts"

    @property
    def leases(self) -> str:
        return f"{self.prefix}leases"

    @property
    def admissions(self) -> str:
        return f"{self.prefix}admissions"

    @property
    def wanting(self) -> str:
        return f"{self.prefix}wanting"

    @property
    def agents(self) -> str:
        return f"{self.prefix}agents"

    @property
    def limits(self) -> str:
        return f"{self.prefix}limits"

    @property
    def spent(self) -> str:
        return f"{self.prefix}spent"

    @property
    def disks(self) -> str:
        return f"{self.prefix}disks"

    @property
    def costs(self) -> str:
        return f"{self.prefix}costs"

    @property
    def rounds(self) -> str:
        return f"{self.prefix}rounds"

    @property
    def alive(self) -> str:
        return f"{self.prefix}alive"

    @property
    def ticks(self) -> str:
        return f"{self.prefix}ticks"

    @property
    def ticks_took(self) -> str:
        return f"{self.prefix}ticks:took"

    @property
    def forge_away(self) -> str:
        return f"{self.prefix}forge:away"

    @property
    def notices(self) -> str:
        return f"{self.prefix}notices"

    @property
    def notices_sending(self) -> str:
        return f"{self.prefix}notices:sending"

    @property
    def notices_failed(self) -> str:
        return f"{self.prefix}notices:failed"

    def mission(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}"

    def items(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:items"

    def due(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:due"

    def lanes(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:lanes"

    def later(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:later"

    def opens(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:opens"

    def notable(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:notable"

    def counts(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:counts"

    def tally(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:tally"

    def mission_issues(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:issues"

    def mission_watches(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:watches"

    def mission_attempts(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:attempts"

    def results(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:results"

    def mission_events(self, mission: str) -> str:
        return f"{self.prefix}mission:{mission}:events"

    def mail(self, name: str) -> str:
        return f"{self.prefix}mail:{name}"

    def mail_seen(self, name: str) -> str:
        return f"{self.prefix}mail:{name}:seen"

    def mail_pending(self, name: str) -> str:
        return f"{self.prefix}mail:{name}:pending"

    @property
    def messages_number(self) -> str:
        return f"{self.prefix}messages:number"

    @property
    def messages_open(self) -> str:
        return f"{self.prefix}messages:open"

    @property
    def messages_due(self) -> str:
        return f"{self.prefix}messages:due"

    @property
    def messages_rate(self) -> str:
        return f"{self.prefix}messages:rate"

    @property
    def archived(self) -> str:
        return f"{self.prefix}archived"

    @property
    def archived_done(self) -> str:
        return f"{self.prefix}archived:done"

    @property
    def damaged(self) -> str:
        return f"{self.prefix}damaged"

    def quarantine(self, name: str) -> str:
        return f"{self.prefix}quarantine:{name}"

    def saving(self, name: str, key: str) -> str:
        return f"{self.prefix}saving:{name}:{key}"

    def restoring(self, name: str, key: str) -> str:
        return f"{self.prefix}restoring:{name}:{key}"

    @property
    def hosts(self) -> str:
        return f"{self.prefix}hosts"

    @property
    def hosts_alive(self) -> str:
        return f"{self.prefix}hosts:alive"

    def host_words(self, name: str) -> str:
        return f"{self.prefix}host:{name}:words"

    def host_answer(self, name: str) -> str:
        return f"{self.prefix}host:answer:{name}"

    @property
    def settings(self) -> str:
        return f"{self.prefix}settings"

    def tail(self, key: str) -> str:
        return f"{self.prefix}tail:{key}"

    def duty(self, name: str) -> str:
        return f"{self.prefix}duty:{name}"
