"""The page as one ASGI application, mounted at the exact paths of `make_routes`.

    GET  /escalations            the inbox
    GET  /escalation             one escalation, by `patient` and `id`, or by the `access` of a link
    POST /escalation/decision    the decision; answered by 303, so that reloading sends nothing again
    GET  /login, POST /login     where access is by login
    GET  /logout, POST /logout
    GET  /page.css

GET and HEAD change nothing; what they may set is a cookie that holds what the link held. What was shown or decided,
and what was refused to somebody who is known, goes to the audit log.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from services.notifier.domain.policy import PASSWORD, Policies
from services.notifier.domain.state import NotifierState
from services.notifier.page.access import (
    ESCALATION,
    INBOX,
    Door,
    FormWord,
    Place,
    Session,
    new_session,
    read_form,
    write_form,
)
from services.notifier.page.answer import Typed, decision_id_of, make_answer, read_typed
from services.notifier.page.config import PageConfig
from services.notifier.page.desk import Desk
from services.notifier.page.dossier import Dossier, open_dossier
from services.notifier.page.guard import (
    NoFormError,
    TooLargeError,
    cookie_name,
    end_session,
    is_same_origin,
    read_pairs,
    secured,
    set_session,
)
from services.notifier.page.inbox import read_inbox, read_query
from services.notifier.page.password import Gate, is_hash
from services.notifier.page.receipt import Receipt, await_effect, is_known, read_receipt, write_receipt
from services.notifier.page.render import FOLDER, Renderer
from services.notifier.page.seal import Seal
from services.notifier.page.team import concerns, zone_of
from shared.log import logger
from shared.protocol.library import Protocols, load_protocols, shipped_protocols
from shared.settings import SettingError
from shared.stream.audit import Act, Action, Outcome

DECIDE = "/escalation/decision"
LOGIN = "/login"
LOGOUT = "/logout"
CSS = "/page.css"
PATHS = (INBOX, ESCALATION, DECIDE, LOGIN, LOGOUT, CSS)

Handler = Callable[[Request], Awaitable[Response]]


def make_routes(desk: Desk, policies: Policies, config: PageConfig | None) -> list[tuple[str, ASGIApp]]:
    """The paths of the page, each with the one application; none where no page is set up."""
    if config is None:
        return []
    app = make_page(desk, policies, config)
    return [(path, app) for path in PATHS]


def make_page(desk: Desk, policies: Policies, config: PageConfig) -> ASGIApp:
    folder = desk.settings.protocols
    protocols = shipped_protocols() if folder is None else load_protocols(folder)
    page = Page(desk, policies, config, protocols)
    routes = [
        Route(INBOX, page.answering(page.inbox)),
        Route(ESCALATION, page.answering(page.escalation)),
        Route(DECIDE, page.answering(page.decide), methods=["POST"]),
        Route(LOGOUT, page.answering(page.logout), methods=["GET", "POST"]),
        Route(CSS, _style_sheet),
    ]
    if config.access == "login":
        routes.append(Route(LOGIN, page.answering(page.login), methods=["GET", "POST"]))
    return secured(Starlette(routes=routes), config)


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, for which escalation if for one, and when."""

    session: Session
    now: datetime
    place: Place | None = None


class RefusedError(Exception):
    """Whoever asks may not see it. Says neither why nor whether it exists."""


class NobodyError(RefusedError):
    """It is not known who asks."""


class ForeignFormError(Exception):
    """A form was sent from another site."""


class Page:
    """The handlers. They hold nothing between two requests but the login's count of failures."""

    def __init__(self, desk: Desk, policies: Policies, config: PageConfig, protocols: Protocols) -> None:
        self._desk = desk
        self._policies = policies
        self._config = config
        self._protocols = protocols
        self._seal = Seal(config.keys)
        self._door = Door(config, frozenset(policies.recipients))
        self._gate = Gate(hashes_of(policies))
        self._renderer = Renderer(config, protocols)

    # ---- pages ----

    async def inbox(self, request: Request) -> Response:
        visit = await self._visit(request)
        query = read_query(*(request.query_params.get(name, "") for name in ("show", "severity", "page")))
        inbox = await read_inbox(self._desk, self._policies, visit.session, query, visit.now)
        await self._note(visit.session, "read", "inbox", *(row.patient for row in inbox.rows))
        zone = zone_of(self._policies)
        response = self._page("inbox.html", visit, inbox=inbox, now=visit.now, zone=zone, session=visit.session)
        return self._with_session(response, visit)

    async def escalation(self, request: Request) -> Response:
        visit = await self._visit(request, with_place=True)
        place, state = await self._seen(visit)
        dossier = await self._dossier(place, state, visit.now)
        receipt = read_receipt(self._seal, request.query_params.get("done", ""), place, state, visit.now)
        return self._with_session(self._escalation(visit, dossier, receipt=receipt), visit)

    async def decide(self, request: Request) -> Response:
        """One decision, once: however often the form is sent."""
        pairs = await self._posted(request)
        typed = read_typed(pairs)
        now = await self._desk.now()
        session = self._session(request, now)
        word = read_form(self._config, _first(pairs, "word"), session, now) if session and session.recipient else None
        if session is None or word is None or not session.opens(word.place):
            return self._page("over.html", None, 403, typed=typed)
        visit = Visit(session, now, word.place)
        place, state = await self._seen(visit)
        decision_id = decision_id_of(word, typed)
        receipt = Receipt(typed.kind, decision_id, now)
        if typed.kind and is_known(state, place[1], decision_id):
            return self._done(place, receipt)
        dossier = await self._dossier(place, state, now)
        if dossier.row.status == "resolved":
            return self._escalation(visit, dossier, 409, typed=typed, notice="resolved")
        if dossier.about != word.about:
            notice = "worse" if dossier.row.severity != word.severity else "more"
            return self._escalation(visit, dossier, 409, typed=typed, notice=notice)
        answer = make_answer(word, typed, state, now)
        if answer.event is None:
            return self._escalation(visit, dossier, 422, typed=typed, errors=answer.errors)
        await self._note(session, "decide", typed.kind, place[0])
        await self._desk.submit(answer.event)
        await await_effect(self._desk, place, decision_id)
        return self._done(place, receipt)

    async def login(self, request: Request) -> Response:
        now = await self._desk.now()
        session = self._session(request, now)
        if request.method != "POST":
            place = _place(request)
            if session is not None and session.recipient:
                return self._to(place)
            return self._login(session or new_session(now), place or ("", ""), now)
        pairs = await self._posted(request)
        word = read_form(self._config, _first(pairs, "word"), session, now) if session else None
        if session is None or word is None:
            return self._login(new_session(now), ("", ""), now, 403, problem="over")
        name, password = _first(pairs, "name").strip(), _first(pairs, "password")
        if self._gate.must_wait(name, now):
            return self._login(session, word.place, now, 429, name=name, problem="wait")
        if not await self._gate.opens(name, password, now):
            return self._login(session, word.place, now, 403, name=name, problem="wrong")
        response = self._to(word.place if all(word.place) else None)
        return self._with_session(response, Visit(new_session(now, name, is_of_team=True), now))

    async def logout(self, request: Request) -> Response:
        now = await self._desk.now()
        session = self._session(request, now)
        if request.method != "POST":
            return self._page("logout.html", Visit(session, now) if session else None, is_out=session is None)
        pairs = await self._posted(request)
        if session is not None and read_form(self._config, _first(pairs, "word"), session, now) is None:
            return self._page("logout.html", Visit(session, now), 403, is_out=False)
        response = self._page("logout.html", None, is_out=True)
        end_session(response, self._config)
        return response

    def answering(self, handler: Handler) -> Handler:
        """The handler; what goes wrong within it becomes a page that says what to do, and never why in detail."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except NobodyError:
                return self._to_login(request)
            except RefusedError:
                return self._page("error.html", None, 403, problem="refused")
            except TooLargeError:
                return self._page("error.html", None, 413, problem="large")
            except NoFormError:
                return self._page("error.html", None, 400, problem="form")
            except ForeignFormError:
                return self._page("error.html", None, 403, problem="foreign")
            except Exception as error:
                # Nobody who answers an alarm may be left with a blank page; the type says enough, words may be a name.
                logger().error("page_failed", path=request.url.path, error=type(error).__name__)
                return self._page("error.html", None, 503, problem="failed")

        return answer

    # ---- what they share ----

    async def _visit(self, request: Request, *, with_place: bool = False) -> Visit:
        now = await self._desk.now()
        session = self._session(request, now)
        word = request.query_params.get("access", "")
        if word and self._config.access == "link":
            opened = self._door.open(word, session, now)
            if opened is None:
                raise RefusedError
            session, place = opened
            return Visit(session, now, place if with_place else None)
        if session is None or not session.recipient:
            raise NobodyError
        return Visit(session, now, _place(request) if with_place else None)

    async def _seen(self, visit: Visit) -> tuple[Place, NotifierState]:
        """The state behind the escalation, if the visitor may see it. Raises RefusedError."""
        place, session = visit.place, visit.session
        if place is None:
            raise RefusedError
        if not session.opens(place):
            await self._note(session, "read", "escalation", place[0], outcome="refused")
            raise RefusedError
        state = await self._desk.state(place[0])
        if state is None:
            raise RefusedError
        if place not in session.opened and not concerns(self._policies, state, session.recipient):
            await self._note(session, "read", "escalation", place[0], outcome="refused")
            raise RefusedError
        await self._note(session, "read", "escalation", place[0])
        return place, state

    async def _note(
        self, session: Session, action: Action, what: str, *patients: str, outcome: Outcome = "done"
    ) -> None:
        await self._desk.note(Act(f"recipient:{session.recipient}", "page", action, what, patients, outcome))

    async def _dossier(self, place: Place, state: NotifierState, now: datetime) -> Dossier:
        patient, escalation_id = place
        ledger = await self._desk.ledger(patient)
        dossier = open_dossier(self._policies, self._protocols, patient, state, escalation_id, ledger, now)
        if dossier is None:
            raise RefusedError
        return dossier

    async def _posted(self, request: Request) -> list[tuple[str, str]]:
        if not is_same_origin(request.headers, self._config):
            raise ForeignFormError
        return await read_pairs(request)

    def _session(self, request: Request, now: datetime) -> Session | None:
        return self._door.read(request.cookies.get(cookie_name(self._config), ""), now)

    def _with_session(self, response: Response, visit: Visit) -> Response:
        session = visit.session
        word = self._door.write(session, visit.now)
        set_session(response, self._config, word, session.until or visit.now, visit.now)
        return response

    def _escalation(
        self,
        visit: Visit,
        dossier: Dossier,
        status: int = 200,
        *,
        typed: Typed | None = None,
        errors: Any = None,
        notice: str = "",
        receipt: Receipt | None = None,
    ) -> Response:
        place = (dossier.row.patient, dossier.row.escalation_id)
        word = FormWord(
            visit.session.session_id,
            visit.session.recipient,
            place,
            dossier.about,
            dossier.row.severity,
            token_urlsafe(12),
        )
        return self._page(
            "escalation.html",
            visit,
            status,
            d=dossier,
            word=write_form(self._config, word, visit.now),
            typed=typed or Typed(),
            errors=errors or {},
            notice=notice,
            receipt=receipt,
        )

    def _login(
        self, session: Session, place: Place, now: datetime, status: int = 200, *, name: str = "", problem: str = ""
    ) -> Response:
        word = self._form_word(session, place, now)
        response = self._page("login.html", None, status, word=word, name=name, problem=problem)
        return self._with_session(response, Visit(session, now))

    def _page(self, template: str, visit: Visit | None, status: int = 200, **context: Any) -> Response:
        """With the name of whoever is in, and the word that lets them out."""
        if visit is not None:
            out_word = self._form_word(visit.session, ("", ""), visit.now)
            context |= {"recipient": visit.session.recipient, "out_word": out_word}
        return self._renderer.page(template, status, **context)

    def _form_word(self, session: Session, place: Place, now: datetime) -> str:
        word = FormWord(session.session_id, session.recipient, place, "", "", "")
        return write_form(self._config, word, now)

    def _done(self, place: Place, receipt: Receipt) -> Response:
        return self._to(place, done=write_receipt(self._seal, place, receipt))

    def _to(self, place: Place | None, **query: str) -> Response:
        if place is None:
            return RedirectResponse(self._config.base + INBOX, 303)
        asked = urlencode({"patient": place[0], "id": place[1]} | query)
        return RedirectResponse(f"{self._config.base}{ESCALATION}?{asked}", 303)

    def _to_login(self, request: Request) -> Response:
        if self._config.access == "link":
            return self._page("error.html", None, 403, problem="refused")
        place = _place(request)
        asked = f"?{urlencode({'patient': place[0], 'id': place[1]})}" if place else ""
        return RedirectResponse(f"{self._config.base}{LOGIN}{asked}", 303)


def hashes_of(policies: Policies) -> dict[str, str]:
    """The password hash of each recipient who may log in. Raises SettingError."""
    hashes = {name: own[PASSWORD] for name, own in policies.recipients.items() if PASSWORD in own}
    for name, stored in hashes.items():
        if not is_hash(stored):
            raise SettingError(
                f"CARE_POLICIES: recipients.{name}.password: is no hash that `adaptive-care alerts password` makes"
            )
    return hashes


def _place(request: Request) -> Place | None:
    patient, escalation_id = request.query_params.get("patient", ""), request.query_params.get("id", "")
    return (patient, escalation_id) if patient and escalation_id else None


def _first(pairs: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in pairs if key == name), "")


async def _style_sheet(request: Request) -> Response:
    return Response((FOLDER / "page.css").read_bytes(), media_type="text/css")
