"""The JSON Schema of policy files, for editors: one of the documents that `adaptive-care docs` writes and checks."""

import json

from services.notifier.domain.policy import Policies


def policy_schema() -> str:
    """Of a file that says all; one of a clinic may leave out whole sections, which stay as shipped."""
    schema = Policies.model_json_schema()
    schema.pop("required", None)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "adaptive-care policy file"}
    return json.dumps(whole | schema | whole, indent=2, ensure_ascii=False) + "\n"


def documents() -> dict[str, str]:
    """By path within `docs`."""
    return {"schema/policy-file.json": policy_schema()}
