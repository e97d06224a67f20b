"""RFC 9457 problem details: the one form of every refusal.

Refused
├── of the request: who asks, how often, what was sent
└── of one event: the decoder's code and path
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is refused. `path` is a JSONPath into what was sent; None where it concerns no place in it."""

    status: int
    code: str
    detail: str
    """What is wrong and what to do. Quotes ids at most, never a patient's words."""
    path: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    """Further members."""

    def members(self) -> dict[str, Any]:
        """The JSON object. `type` is `about:blank`: `code` tells problems of one status apart."""
        told: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.path is not None:
            told["path"] = self.path
        return told | self.extra

    def response(self) -> JSONResponse:
        return JSONResponse(self.members(), self.status, self.headers, MEDIA_TYPE)


class Refused(Exception):  # noqa: N818  # an answer, not a fault
    """A request ends with this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def unavailable(detail: str, code: str = "unavailable", retry_after_s: int = 2) -> Problem:
    """Nothing was decided about the request; the same one may be sent again."""
    return Problem(503, code, detail, headers={"Retry-After": str(retry_after_s)})
