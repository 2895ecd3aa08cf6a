"""The words of dependency markers: which state an order, and which take it back.

Everything is lower case and English. ``issue_lists`` and ``judgement`` say how they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final


class Manner(Enum):
    """What must follow a keyword, or be near it, for it to count."""

    #: By issues, or by a short description that ends with one: "depends on the schema from #3".
    DESCRIBED = auto()
    #: By issues alone.
    PLAIN = auto()
    #: By issues in parentheses: "blocked (#3)".
    ENCLOSED = auto()
    #: By a colon and issues.
    LABEL = auto()
    #: By issues, in a sentence about the order of work: "after #3" is as often a story.
    AFTER = auto()
    #: By issues, in a sentence about waiting: "until #3".
    UNTIL = auto()
    #: By issues, in a sentence that forbids it: "not before #3".
    BEFORE = auto()


#: The words of a keyword, its name, its manner.
Keyword = tuple[tuple[str, ...], str, Manner]


def _forms(manner: Manner, canonical: str, *forms: str) -> list[Keyword]:
    return [(tuple(form.split()), canonical, manner) for form in (canonical, *forms)]


#: Words of a keyword (a dash, an underscore or a line break may separate them), its name, its manner.
KEYWORDS: Final = [
    *_forms(Manner.DESCRIBED, "depends on", "depends upon", "depend on", "depend upon", "dependson", "dependon"),
    *_forms(Manner.DESCRIBED, "depending on", "depending upon"),
    *_forms(Manner.DESCRIBED, "dependent on", "dependent upon", "dependant on", "dependant upon"),
    *_forms(Manner.DESCRIBED, "dependency to", "dependencies to", "dependency with", "dependencies with"),
    *_forms(Manner.DESCRIBED, "dependency on", "dependencies on"),
    *_forms(Manner.DESCRIBED, "blocked by", "blocked on", "blockedby", "blockedon"),
    *_forms(Manner.DESCRIBED, "requires", "require", "requiring"),
    *_forms(Manner.DESCRIBED, "needs", "will need"),
    *_forms(Manner.DESCRIBED, "need"),
    *_forms(Manner.PLAIN, "blocked because of", "blocked because", "blocked due to", "blocked see"),
    *_forms(Manner.PLAIN, "stuck because of", "stuck because", "stuck due to"),
    *_forms(Manner.PLAIN, "on hold because of", "on hold due to", "paused because of", "postponed because of"),
    *_forms(Manner.ENCLOSED, "blocked", "on hold", "waiting", "parked", "paused"),
    *_forms(Manner.PLAIN, "pending"),
    *_forms(Manner.PLAIN, "depends of", "depend of", "depends to", "depend to", "depends from", "depend from"),
    *_forms(
        Manner.PLAIN,
        "depending of",
        "depending from",
        "depends by",
        "depend by",
        "dependent to",
        "dependend on",
        "dependand on",
    ),
    *_forms(Manner.PLAIN, "blocking by", "blocked from", "blocked of", "blocked with", "blocked for"),
    *_forms(Manner.PLAIN, "builds on", "builds upon", "builds on top of", "stacked on", "stacked on top of"),
    *_forms(Manner.PLAIN, "is needed", "are needed", "is required", "are required", "is necessary"),
    *_forms(Manner.LABEL, "required"),
    *_forms(Manner.LABEL, "start condition", "start conditions", "conditions to start", "conditions for starting"),
    *_forms(Manner.PLAIN, "holding for", "on hold for", "hold for", "holding on"),
    *_forms(Manner.DESCRIBED, "waiting on", "waiting for", "waits on", "waits for", "awaiting", "awaits"),
    *_forms(Manner.PLAIN, "wait on", "wait for", "wait", "await"),
    *_forms(Manner.DESCRIBED, "relies on", "rely on", "relies upon", "relying on"),
    *_forms(Manner.PLAIN, "held up by", "held back by", "stuck on", "stuck behind", "queued behind", "blocked behind"),
    *_forms(Manner.PLAIN, "hinges on", "predicated on", "conditional on", "subject to"),
    *_forms(Manner.PLAIN, "must follow", "should follow", "has to follow"),
    *_forms(Manner.PLAIN, "gated on", "gated by"),
    *_forms(Manner.PLAIN, "contingent on", "contingent upon"),
    *_forms(Manner.LABEL, "dependencies", "dependency", "depends", "deps", "dep"),
    *_forms(
        Manner.LABEL,
        "prerequisites",
        "prerequisite",
        "prereqs",
        "prereq",
        "pre reqs",
        "pre req",
        "pre requisites",
        "pre requisite",
    ),
    *_forms(Manner.LABEL, "preconditions", "precondition", "predecessors", "predecessor"),
    *_forms(Manner.LABEL, "blockers", "blocker"),
    *_forms(Manner.LABEL, "blocking issues", "blocking tickets", "blocking tasks", "blocking prs", "blocking issue"),
    *_forms(Manner.LABEL, "requirements", "requirement"),
    *_forms(Manner.LABEL, "blocked upstream"),
    *_forms(Manner.PLAIN, "be unblocked by"),
    *_forms(Manner.AFTER, "after"),
    *_forms(Manner.UNTIL, "until", "till", "once", "as soon as", "as long as", "when", "while", "behind"),
    *_forms(Manner.PLAIN, "preceded by"),
    *_forms(Manner.BEFORE, "before", "without", "unless"),
]
DASHES: Final = frozenset({"-", "\u2013", "\u2014"})
QUOTES: Final = frozenset("\"'\u201c\u201d\u2018")
#: Words that may come between a keyword and an issue, or before an issue in a list.
FILLERS: Final = frozenset(
    "number nr outcome result results the issue issues ticket tickets task tasks pr prs mr mrs pull request requests "
    "both all of each on by upon bug bugs story stories epic following these github upstream merging landing finishing "
    "completing completion finish complete solving merge closing resolving resolution fixing implementing "
    "also either that at least our".split()
)
#: Join the issues of a list.
JOINTS: Final = frozenset({",", ";", "&", "/", "+", "\n", "and", "or", "plus", "then"})
#: Longer joints.
LONG_JOINTS: Final = (
    ("but", "also"),
    ("as", "well", "as"),
    ("along", "with"),
    ("together", "with"),
    ("in", "addition", "to"),
)
#: Before an issue at the end of a description.
FROM: Final = frozenset({"in", "from"})
#: A description does not end with these before an issue.
NOT_BEFORE_ISSUE: Final = frozenset(
    "of by via to at with on for about against into than without beyond around near until during and or but is "
    "are was were be has have had".split()
)
#: "For" before an issue does not end a description behind these: "depends on the fix for #3".
REMEDIES: Final = frozenset("fix fixes solution patch pr branch work change changes".split())
#: "Depends on the types added in #3": what is described is made there.
PROVIDED: Final = frozenset("added introduced proposed raised".split())
#: The same behind "that" or "which".
ORIGIN_VERBS: Final = frozenset(
    "is are will gets get comes come has have should was were contains contain includes include adds add introduces "
    "introduce brings provides provide ships delivers implements fixes resolves".split()
)
#: A description with one of these speaks of something else.
NOT_DESCRIBING: Final = frozenset(
    "see related relates like per unlike whether if unless not no none nothing discussed mentioned similar closes "
    "introduced added reported changed removed fixed raised suggested proposed noted reverting reverted revert "
    "reopening reviewing updating changing editing rebasing renaming removing porting backporting fixes resolves "
    "as than described how what why when where who which that because so since until before after parent instead "
    "but however cf maybe perhaps possibly probably might may could would tbd unknown read reading n blocks "
    "blocking duplicate follow discussion discussions your view mood same once feedback review triage thought".split()
)
#: Before a number that is no issue's: "step #1".
ORDINALS: Final = frozenset(
    "step phase stage part point item bullet question option figure section chapter requirement rule comment line "
    "attempt case scenario test version priority day week sprint milestone board round number page table "
    "error code rfc adr pep port room slide lesson exercise".split()
)
#: Takes a statement back when it stands before it in the same clause.
NEGATIONS: Final = frozenset(
    "not no never neither nor none nothing nobody without cannot cant dont doesnt isnt arent wont shouldnt "
    "independent hardly unlikely unblocked formerly previously originally".split()
)
#: After "not" these make it no negation.
NOT_NEGATING: Final = frozenset({"only", "just", "merely"})
#: Right before a keyword: nobody has to wait for it.
SOFT: Final = frozenset({"soft", "optional", "weak", "possible", "potential"})
#: Words that may come within a keyword: "depends only on", "blocked upstream by".
WITHIN: Final = frozenset(
    "only also directly heavily mainly primarily solely entirely strictly currently still upstream partly again "
    "strongly both here".split()
)
#: Was so once, when it stands right before the keyword.
PAST: Final = frozenset({"was", "were", "had", "used", "formerly", "previously"})
#: Makes a statement a guess, in the same clause.
HEDGES: Final = frozenset(
    "might may maybe perhaps possibly could would potentially probably unclear unsure presumably likely wonder "
    "wondering hypothetically thought assumed believed expected".split()
)
#: After "would" these make it a wish: "I would like to do it after #3".
WISHES: Final = frozenset(
    {"like", "prefer", "rather", "suggest", "wait", "best", "need", "nice", "good", "great", "better"}
)
#: Makes a statement a condition, in the same sentence.
CONDITIONS: Final = frozenset({"if", "whether", "unless", "suppose", "supposing", "assuming"})
#: After "if" these make no condition: "after #3 if nobody objects".
POLITE: Final = frozenset({"nobody", "noone", "objections", "ok", "okay", "possible", "mind", "fine"})
#: Before "the dependency on": it is to go, or gone.
REMOVALS: Final = frozenset(
    "remove removed removes removing drop dropped drops dropping eliminate eliminated eliminates break breaks "
    "broke avoid avoids avoided resolve resolved".split()
)
#: Before it: it is new, and no work of others.
ADDING: Final = frozenset("add adds added adding introduce introduces introduced introducing new".split())
#: "The blocker is #3", "there are two dependencies, #3 and #4": these say so …
TOLD: Final = frozenset({"dependencies", "prerequisites", "preconditions", "blockers"})
#: … with these in between: "the only blocker left is #3", …
BEHIND_TOLD: Final = frozenset("here left remaining now currently today".split())
#: … behind these.
BEFORE_TOLD: Final = frozenset(
    "the our its my one two three four only main open last remaining first biggest there is are has have single real "
    "current hard known and but so this it task issue ticket other still also actual".split()
)
#: "Node #18 or newer" is a version.
NEWER: Final = frozenset("newer later higher above greater older up more".split())
#: Before a number that counts steps, rather than versions.
STEPS: Final = frozenset("phase step part stage milestone v wave task issue ticket story pr bug".split())
#: Right before a keyword: it is mentioned, not used.
MENTIONS: Final = frozenset(
    "like write writes writing marker markers keyword keywords phrase phrases syntax example examples parse "
    "parses recognise recognises recognize recognizes regex g say says saying called literal".split()
)
#: "Does this need #3" is a question without its mark.
ASKING: Final = frozenset("does is are should will can would has did".split())
#: "Mark this as blocked by #3": what is said of the mark is said of the statement.
MARKING: Final = frozenset("mark marked marking flag flagged label labelled labeled tag tagged list listed".split())
#: The same in two words.
CONTRASTS: Final = frozenset({("such", "as"), ("instead", "of"), ("rather", "than"), ("other", "than")})
#: Somebody else depends on it.
OTHERS: Final = frozenset(
    "they those other others another all several every anything everything everyone anyone whatever whichever "
    "whoever downstream subsequent issues prs tickets children child subissues subtasks rest users teams "
    "customers consumers people folks everybody somebody someone".split()
)
#: Begin a clause of their own.
CLAUSE_WORDS: Final = frozenset({"because", "since", "as", "but", "so", "while", "and", "therefore", "hence", "thus"})
CLAUSE_SIGNS: Final = frozenset({",", ":", "\u2014", "\u2013", "\u2192"})
BULLETS: Final = frozenset({"|", "\u2022", "\u00b7", "\u2023", "\u25aa"})
#: Separate statements as much as a full stop does.
STATEMENT_SIGNS: Final = frozenset({";"}) | BULLETS
#: Words that may come between a subject and its verb.
ADVERBS: Final = frozenset(
    "is are be being also still currently directly now has have will itself strictly fully only hard already both "
    "technically effectively heavily partly partially first therefore thus then".split()
)
#: Before a keyword with a description: it speaks of this issue, not of a part of the program.
OURSELVES: Final = frozenset("this it these the we i changes implementation fix here and x status for".split())
#: Contractions are read as their first word, the verb adds nothing.
SHORTENED: Final = {
    f"{word}'{rest}": word
    for word in ("i", "we", "you", "they", "it", "this", "that", "which", "he", "she", "there")
    for rest in ("re", "m", "s", "ve", "ll", "d")
}
#: After a keyword: an issue that was named before.
PRONOUNS: Final = frozenset({"that", "it", "them", "those"})
#: What may follow such a word.
BEHIND_PRONOUNS: Final = frozenset(
    {"", ".", ",", ";", "!", ")", "\n", *"first then to before for is has being lands and now in merged done".split()}
)
#: After "not" these say that nobody has to wait.
TO_WAIT: Final = frozenset("wait waits waiting hold blocked blocks defer delay pause postpone".split())
#: In a sentence with one of these "#222" is a colour.
COLOURS: Final = frozenset("color colour colors colours hex palette rgb css".split())
#: Who does something with an issue, so that the next "it" is that issue: "I looked at #3. It depends on #4."
PEOPLE: Final = frozenset({"i", "we", "you", "they", "he", "she", "somebody", "someone"})
#: What may follow "we need #3".
BEHIND_NEED: Final = frozenset({"", ".", "\n", ",", ";", ")", *"for to before first in done merged here".split()})
#: What "this" may be.
SELVES: Final = frozenset("issue ticket task pr mr story work change feature one item bug request patch".split())
RELATIVES: Final = frozenset({"which", "that", "who", "whose"})
#: Words that may come before an issue that begins a sentence.
LEADS: Final = frozenset("the a issue issues pr prs ticket task story bug epic pull request step phase".split())
#: Before an issue that is the object of something else, so that the next statement is about this issue.
LINKS: Final = frozenset(
    "closes close closing fixes fix fixing resolves resolve see refs ref supersedes replaces duplicates "
    "implements addresses parent epic milestone tracking related relates to part".split()
)
#: A story about what happened after something, rather than an order of work.
STORY: Final = frozenset(
    "regressed regression regresses regressions broke broken break breaks breaking fail fails failed failing "
    "failure failures crash crashes crashed crashing hang notice noticed saw see sees seen seeing appeared "
    "appears appear happens happened happening occurs occurred introduced stopped began begun bug error errors "
    "slow slower slowed flaky leak leaks leaking found observed discovered reported reproduced reproduces was "
    "were became got had changed still remains remained left missing shortly worse went started dropped increased "
    "throws threw shows showed hangs hung longer getting realised realized since returned returns reverted "
    "reopened named looks days works worked noise duplicate duplicates duplicated corrupt corrupted blank stale "
    "inconsistent incorrect unexpected weird strange "
    "weeks hours minutes months sometimes soon tried complained discussed requested mentioned".split()
)
#: Those of them that tell what to do after "be": "can be started after #3".
PASSIVE: Final = frozenset("started begun changed introduced dropped discussed requested mentioned".split())
#: "The numbers look better after #3": a sentence that begins so tells how things are, …
DETERMINERS: Final = frozenset("the a an our my your his their its some all many most every each no".split())
#: … unless one of these is in it.
ORDER_SIGNS: Final = frozenset(
    "should must can will shall to need needs comes goes follows follow happens starts lands ships belongs "
    "only rest remaining planned scheduled blocked waits possible due next let's lets please we i this work do done "
    "start merge order sense can't cannot".split()
)
#: What "it" may do after something, in an order of work: "it comes after #3".
ORDERING: Final = frozenset("is has needs comes goes runs starts belongs makes depends lands ships".split())
#: A verb in the past right after one of these tells a story: "after #3 we enabled …".
TELLERS: Final = frozenset("we i they it he she users user people customers everybody everyone somebody".split())
#: Verbs in the past that still give an order: "we scheduled it after #3"; and words that only look like verbs.
PLANNED: Final = frozenset("scheduled planned decided agreed wanted postponed deferred moved need needed embed".split())
#: "The build after #3" is a thing, no order.
SNAPSHOTS: Final = frozenset("commit commits build builds release releases version versions revision".split())
ARTICLES: Final = frozenset({"the", "a", "any", "in", "on", "since", "every"})
#: In a sentence that begins with "after", the verbs that make it a story.
STORY_VERBS: Final = STORY - frozenset(
    "see bug break error errors failing broken breaking missing left since still flaky slow regression failure "
    "failures leak leaks regressions started".split()
)
PAST_AFTER: Final = frozenset({"was", "were", "went", "had", "broke", "got", "introduced", "changed", "removed"})
#: "until #3", "once #3" are about waiting in the company of these.
WAITING: Final = frozenset(
    "blocked blocks start started starting begin begun wait waits waiting hold held not never merge merged land "
    "landed proceed ship postponed deferred parked paused cannot unblocked resume ready picked pick pending "
    "scheduled draft wip frozen dont cant wont shouldnt postpone defer delay delayed pause park stuck queue "
    "queued stacked".split()
)
#: "before #3" is about waiting in the company of these, if forbidden.
STARTING: Final = frozenset(
    "start started begin begun merge merged land landed ship shipped done picked proceed work implemented finish "
    "finished complete completed continue tested built pick possible sense useful worth compile "
    "starting beginning point mergeable ready doable feasible run pass deploy deployed release released".split()
)
#: "Start date: when #3 is done".
STARTING_LABEL: Final = frozenset("when timing start starts begin begins merge due schedule scheduled date".split())
#: "Once #3 is merged" is about waiting in the company of these too.
BEGINNING: Final = frozenset(
    "worked done implemented tackled proceed continue possible built addressed finished completed begins starts "
    "unblocked relevant useful sense usable next".split()
)
#: "We can do this when #3 is done": what can be done then.
DOING: Final = frozenset("do start build ship release implement merge test make add write finish continue".split())
#: "It does not work without #3" tells how things are.
TELLING_NEGATIONS: Final = frozenset({"does", "doesn't", "doesnt", "did", "didn't", "didnt"})
#: "Before #3 it worked, after #3 it doesn't".
COMPARING: Final = frozenset({"before", "without"})
#: Before "#3, we cannot start" these make this issue wait.
OPEN_ENDED: Final = frozenset({"until", "till", "before", "without", "unless"})
NOT_WAITING: Final = frozenset(
    "keep kept workaround temporarily temporary disabled skipped ignore ignored leave".split()
)
#: "#3 must be VERB first".
FINISHING: Final = frozenset(
    "merged done completed finished implemented fixed closed resolved land landed merge ship shipped go happen "
    "exist deployed released complete finish in solved ready there available live addressed delivered approved "
    "through over out up online finalized finalised settled decided accepted agreed stable answered".split()
)
FINISHES: Final = frozenset("lands merges ships closes completes finishes land merge".split())
#: "Once #3 lands, …": the work that begins then, in the words for a start or as an order.
OPENING: Final = frozenset(
    "start started begin begun work proceed continue implement implemented build built tackle resume ready pick "
    "picked possible please".split()
)
ORDERS: Final = frozenset(
    "switch update add use change remove rename implement migrate move replace rebase write create extend enable "
    "bump delete drop wire adapt port convert refactor test build make do merge deploy release publish rewrite "
    "introduce expose connect document hook".split()
)
#: That is no work of ours.
CLOSING: Final = frozenset("close closed obsolete moot unnecessary irrelevant reverted gone superfluous".split())


def is_negated(said: Sequence[str]) -> bool:
    """Whether one of these words takes back what is said."""
    for i, word in enumerate(said):
        following = said[i + 1] if i + 1 < len(said) else ""
        if (word in NEGATIONS or word.endswith("n't")) and following not in NOT_NEGATING:
            return True
    return False
