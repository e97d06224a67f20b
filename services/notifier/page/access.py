"""Who may see what: a signed link or a login becomes a session; a session is one recipient and what it opens.

Nothing of it is stored: links, sessions and forms are signed words that carry their own end. A new key in
`CARE_PAGE_SECRET` ends them all; a recipient taken out of the policies is refused at once.
"""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from services.notifier.page.config import PageConfig
from services.notifier.page.seal import Seal

SESSION_LIFE = timedelta(hours=12)
MOST_OPENED = 12
"""Escalations that one session remembers from the links that were opened with it: the newest."""

ESCALATION = "/escalation"
INBOX = "/escalations"

Place = tuple[str, str]
"""A patient's pseudonym and the id of an escalation."""


@dataclass(frozen=True, slots=True)
class Session:
    """One browser. Without a recipient it has only asked for the login."""

    session_id: str
    recipient: str = ""
    is_of_team: bool = False
    """Sees all that concerns the recipient; else only what is in `opened`."""
    opened: tuple[Place, ...] = ()
    until: datetime | None = None

    def opens(self, place: Place) -> bool:
        return self.is_of_team or place in self.opened


def new_session(now: datetime, recipient: str = "", *, is_of_team: bool = False) -> Session:
    return Session(secrets.token_urlsafe(12), recipient, is_of_team, until=now + SESSION_LIFE)


def link_for(
    config: PageConfig | None, recipient: str, patient_id: str, escalation_id: str, at: datetime
) -> str | None:
    """The link for one recipient's mail about one escalation; None where the page has no address.

    By `login` it names the escalation only, and whoever opens it must log in. Without an escalation: the inbox.
    """
    if config is None or config.url is None:
        return None
    if not escalation_id:
        return inbox_link_for(config, recipient, at)
    if config.access == "login":
        return f"{config.url}{ESCALATION}?{urlencode({'patient': patient_id, 'id': escalation_id})}"
    content = {"r": recipient, "p": patient_id, "e": escalation_id}
    word = Seal(config.keys).write("link", content, at + config.link_life)
    return f"{config.url}{ESCALATION}?access={word}"


def inbox_link_for(config: PageConfig | None, recipient: str, at: datetime) -> str | None:
    """The link for one recipient's digest: opens the inbox, and with it all that concerns the recipient."""
    if config is None or config.url is None:
        return None
    if config.access == "login":
        return f"{config.url}{INBOX}"
    return f"{config.url}{INBOX}?access={Seal(config.keys).write('link', {'r': recipient}, at + config.link_life)}"


class Door:
    """Reads and writes sessions, and turns links into them."""

    def __init__(self, config: PageConfig, recipients: frozenset[str]) -> None:
        self._seal = Seal(config.keys)
        self._recipients = recipients

    def read(self, cookie: str, now: datetime) -> Session | None:
        """The session of a cookie; None where there is none, or its recipient is no longer one."""
        content = self._seal.read("session", cookie, now)
        if content is None or (content["r"] and content["r"] not in self._recipients):
            return None
        opened = tuple((patient, escalation) for patient, escalation in content["o"])
        until = datetime.fromtimestamp(content["u"], now.tzinfo)
        return Session(content["s"], content["r"], content["t"], opened, until)

    def write(self, session: Session, now: datetime) -> str:
        content = {
            "s": session.session_id,
            "r": session.recipient,
            "t": session.is_of_team,
            "o": [list(place) for place in session.opened],
        }
        return self._seal.write("session", content, session.until or now + SESSION_LIFE)

    def open(self, word: str, known: Session | None, now: datetime) -> tuple[Session, Place | None] | None:
        """The session that a link gives, and the escalation that it is about; None where it gives none.

        Another recipient's link ends the session that was there; the same one's adds to it.
        """
        content = self._seal.read("link", word, now)
        if content is None or content["r"] not in self._recipients:
            return None
        until = datetime.fromtimestamp(content["u"], now.tzinfo)
        session = known
        if session is None or session.recipient != content["r"]:
            session = replace(new_session(now, content["r"]), until=min(until, now + SESSION_LIFE))
        if "e" not in content:
            return replace(session, is_of_team=True), None
        place = (content["p"], content["e"])
        others = tuple(one for one in session.opened if one != place)
        return replace(session, opened=(*others, place)[-MOST_OPENED:]), place


@dataclass(frozen=True, slots=True)
class FormWord:
    """What a form carries: whose it is, what it answers, and what its reader had seen. Also the CSRF token."""

    session_id: str
    recipient: str
    place: Place
    about: str
    """Id of the newest `raised` that was shown."""
    severity: str
    nonce: str

    def content(self) -> dict[str, Any]:
        patient, escalation = self.place
        return {
            "s": self.session_id,
            "r": self.recipient,
            "p": patient,
            "e": escalation,
            "a": self.about,
            "v": self.severity,
            "n": self.nonce,
        }


def write_form(config: PageConfig, word: FormWord, now: datetime) -> str:
    return Seal(config.keys).write("form", word.content(), now + SESSION_LIFE)


def read_form(config: PageConfig, word: str, session: Session, now: datetime) -> FormWord | None:
    """None unless it was made for this very session."""
    found = Seal(config.keys).read("form", word, now)
    if found is None or found["s"] != session.session_id or found["r"] != session.recipient:
        return None
    return FormWord(found["s"], found["r"], (found["p"], found["e"]), found["a"], found["v"], found["n"])
