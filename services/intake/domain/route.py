"""Pain that comes from the lumbar spine or the hip joint. Source: evidence C8, C9; contract 5.4."""

from services.intake.domain.presentation import Presentation
from shared.protocol.screening import Route, RouteRule, ScreeningRules


def find_route(presentation: Presentation, rules: ScreeningRules) -> tuple[Route, RouteRule] | None:
    """The first route that the patient meets, and by which rule."""
    for route in rules.routes:
        for rule in route.rules:
            if sum(map(presentation.is_present, rule.findings)) >= rule.at_least and presentation.meets(rule.when):
                return route, rule
    return None
