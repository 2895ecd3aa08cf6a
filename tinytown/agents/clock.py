"""When a limit ends, read from the words, clocks and numbers by which CLIs say so.

Everything here is pure: the present time is a parameter, and so is the zone of times that name none. Times are seconds
since the epoch. Understood are durations ("in 2 hours 13 minutes", "1h30m", ``PT45M``, bare seconds after
``retry-after``), clocks ("4:38am (UTC)", "16:38", "Oct 3, 9am (Europe/Berlin)", "Monday at 9:00", "tomorrow"),
timestamps (ISO 8601, HTTP dates) and epochs in seconds or milliseconds.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime

#: A limit that ends later than this, in seconds from now, is not believed: no service has such a long one.
MAX_AHEAD = 40 * 86400.0
#: Longest text that is read, in characters.
MAX_CHARS = 4000
#: How long ago a date without a year may be, in seconds: its limit has just ended.
_STALE = 2 * 86400.0

_UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_NUMBER = r"\d{1,7}(?:\.\d{1,6})?"
_UNIT = (
    r"weeks?|wks?|w|days?|d|hours?|hrs?|hr|h|minutes?|mins?|min|milliseconds?|millis|msecs?|ms|m|seconds?|secs?|sec|s"
)
_SPAN = rf"(?:{_NUMBER} ?|\ban? )(?:{_UNIT})(?![a-z])"
_SPANS = rf"{_SPAN}(?:(?:, and | and |, | |){_SPAN}){{0,5}}"
_ISO_SPAN = r"P(?=[\dT])(?:\d{1,4}W)?(?:\d{1,4}D)?(?:T(?:\d{1,5}H)?(?:\d{1,6}M)?(?:\d{1,7}(?:\.\d{1,6})?S)?)?"
_PART = re.compile(rf"({_NUMBER}(?= ?\w)|\ban?(?= )) ?({_UNIT})(?![a-z])", re.IGNORECASE)
_ISO_PART = re.compile(r"(\d+(?:\.\d+)?)([WDHMS])")

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DAYS = "mon tue wed thu fri sat sun".split()
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DATE = (
    rf"(?:{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<year>\d{{4}}))?"
    rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)? {_MONTH.replace('<month>', '<month2>')}(?:,? (?P<year2>\d{{4}}))?"
    r"|(?P<isodate>\d{4}-\d\d-\d\d)|(?P<word>today|tomorrow)"
    r"|(?:on |next )?(?P<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6})"
)
_CLOCK = r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d)(?::\d\d)?)? ?(?P<half>[ap]\.?m\b\.?)?"
_ZONE = r"(?:,? ?\(?(?P<zone>[A-Za-z]+/[A-Za-z_]+(?:/[A-Za-z_]+)?|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d\d)?|[A-Z]{1,4}\b)\)?)?"
#: A moment as people write it: a date, a time of day, or both.
_MOMENT = re.compile(
    rf"(?:(?:{_DATE},?(?: at| by)?[ ,]*)?{_CLOCK}|{_DATE.replace('?P<', '?P<only_')}){_ZONE}", re.IGNORECASE
)
_STAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)? ?(?:Z|UTC|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_HTTP_DATE = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun), \d{2} [a-z]{3} \d{4} \d\d:\d\d:\d\d GMT", re.IGNORECASE)
_EPOCH = re.compile(r"\d{10}(?:\.\d{1,6})?(?!\d)|\d{13}(?!\d)")

#: Words that precede the end of a limit.
_LEADS = re.compile(
    r"\b(?:retry[-_ ]?after(?:[-_ ]?ms)?|retry|try again|come back|wait|available(?: again)?"
    r"|resets?(?:_?at|_?in)?|renews|refreshes|until)\b[\"']?",
    re.IGNORECASE,
)
_FILLER = r"again|on|at|in|after|for|until|by|about|approximately|around|another|~"
_GAP = re.compile(rf"[\"':=]{{0,3}} ?(?:(?:{_FILLER})[ :]{{1,2}}){{0,3}}~? ?[\"'(]?", re.IGNORECASE)
#: "Claude AI usage limit reached|1735689600", as claude once said it.
_BAR = re.compile(r"limit reached\|(\d{10}|\d{13})\b", re.IGNORECASE)
_ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "JST": 9, "AEST": 10,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?", re.IGNORECASE)


def end_of_limit(text: str, *, now: float, zone: tzinfo | None = None, durations_only: bool = False) -> float | None:
    """When it may be tried again, if ``text`` says so after words like "resets" or "try again".

    ``zone`` is that of a time that names none; ``None`` means this machine's.
    """
    text = " ".join(text[:MAX_CHARS].replace("\N{NO-BREAK SPACE}", " ").split())
    if (found := _BAR.search(text)) and not durations_only:
        return _believed(epoch(float(found[1])), now)
    for lead in _LEADS.finditer(text):
        gap = _GAP.match(text, lead.end())
        rest = text[gap.end() if gap else lead.end() :]
        bare = lead[0].lower().replace("_", "-").replace(" ", "-").rstrip("\"'")
        end = _after_words(rest, bare, now=now)
        if end is None and not durations_only:
            end = moment(rest, now=now, zone=zone)
        if end is not None:
            return end
    return None


def moment(text: str, *, now: float, zone: tzinfo | None = None) -> float | None:
    """The moment that ``text`` begins with."""
    text = " ".join(text[:MAX_CHARS].split())
    if found := _EPOCH.match(text):
        return _believed(epoch(float(found[0])), now)
    if found := _HTTP_DATE.match(text):
        return _believed(parsedate_to_datetime(found[0]).timestamp(), now)
    if found := _STAMP.match(text):
        return _believed(_of_stamp(found[0], zone), now)
    if found := _MOMENT.match(text):
        return _believed(_of_people(found, now=now, zone=zone), now)
    return None


def duration(text: str) -> float | None:
    """The seconds that ``text`` begins with; a bare number is seconds."""
    text = " ".join(text[:MAX_CHARS].split())
    if found := re.match(_SPANS, text, re.IGNORECASE):
        return sum(_amount(n) * _UNITS[_unit(u)] for n, u in _PART.findall(found[0]))
    if (found := re.match(_ISO_SPAN, text, re.IGNORECASE)) and len(found[0]) > 2:
        return _iso_seconds(found[0].upper())
    found = re.match(rf"{_NUMBER}(?![\d:.])(?! ?(?:[ap]\.?m\b|[a-z]))", text, re.IGNORECASE)
    return float(found[0]) if found else None


def epoch(number: float) -> float:
    """Seconds since the epoch, from a number that counts them or milliseconds."""
    return number / 1000 if number > 1e11 else number


def _after_words(rest: str, lead: str, *, now: float) -> float | None:
    if re.match(rf"(?:{_SPANS}|{_ISO_SPAN}(?<=\w\w\w))", rest, re.IGNORECASE):
        seconds = duration(rest)
        return None if seconds is None else _believed(now + seconds, now)
    if lead.startswith("retry-after") and not re.match(r"\d{10}", rest):
        seconds = duration(rest)
        if seconds is not None:
            return _believed(now + (seconds / 1000 if lead.endswith("ms") else seconds), now)
    return None


def _believed(end: float | None, now: float) -> float | None:
    """The time, or now if that is past; ``None`` if it is too far ahead, as it must be a misreading."""
    return None if end is None or end > now + MAX_AHEAD else max(end, now)


def _unit(word: str) -> str:
    word = word.lower()
    return "ms" if word.startswith(("ms", "milli")) else word[0]


def _amount(word: str) -> float:
    return 1.0 if word[:1] in "aA" else float(word)


def _iso_seconds(text: str) -> float:
    days, _, rest = text[1:].partition("T")
    total = sum(float(n) * _UNITS[u.lower()] for n, u in _ISO_PART.findall(days) if u in "WD")
    return total + sum(float(n) * _UNITS[u.lower()] for n, u in _ISO_PART.findall(rest))


def _of_stamp(text: str, zone: tzinfo | None) -> float | None:
    words = re.sub(r" ?(?:Z|UTC)$", "+00:00", text, flags=re.IGNORECASE)
    try:
        when = datetime.fromisoformat(words)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()


def _of_people(found: re.Match[str], *, now: float, zone: tzinfo | None) -> float | None:
    words = {name.removeprefix("only_"): word.lower() for name, word in found.groupdict().items() if word}
    if (
        "half" not in words
        and "minute" not in words
        and not words.keys() & {"month", "month2", "isodate", "weekday", "word"}
    ):
        return None  # A bare number.
    if named := found["zone"]:
        zone = _zone(named) or zone
    hour, minute = int(words.get("hour", 0)), int(words.get("minute", 0))
    if half := words.get("half"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    if hour > 23 or minute > 59:
        return None
    here = datetime.fromtimestamp(now, zone)
    try:
        return _nearest(words, here, hour, minute, now=now, zone=zone)
    except (ValueError, OverflowError):
        return None  # Such as the 31st of February.


def _nearest(
    words: dict[str, str], here: datetime, hour: int, minute: int, *, now: float, zone: tzinfo | None
) -> float | None:
    def at(year: int, month: int, day: int) -> float:
        when = [datetime(year, month, day, hour, minute, tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)]
        # If the clock shows this time twice that night, the one that is still to come.
        return next((moment for moment in sorted(when) if moment > now), max(when))

    def in_days(days: int) -> float:
        day = here.date() + timedelta(days=days)
        return at(day.year, day.month, day.day)

    if iso := words.get("isodate"):
        year, month, day = (int(part) for part in iso.split("-"))
        return at(year, month, day)
    if month_name := words.get("month") or words.get("month2"):
        month, day = _MONTHS.index(month_name[:3]) + 1, int(words.get("day") or words["day2"])
        if year_text := words.get("year") or words.get("year2"):
            return at(int(year_text), month, day)
        this = at(here.year, month, day)
        return this if this > now - _STALE else at(here.year + 1, month, day)
    if weekday := words.get("weekday"):
        days = (_DAYS.index(weekday[:3]) - here.weekday()) % 7
        return next(end for end in (in_days(days), in_days(days + 7)) if end > now)
    if words.get("word") == "tomorrow":
        return in_days(1)
    today = in_days(0)
    # Times are given in minutes: the present minute has just begun.
    return today if today > now else now if today + 60 > now else in_days(1)


def _zone(name: str) -> tzinfo | None:
    if (hours := _ABBREVIATIONS.get(name.upper())) is not None:
        return UTC if not hours else timezone(timedelta(hours=hours))
    if found := _OFFSET.fullmatch(name):
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes)) if minutes < 1440 else None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
