"""The JSON Schema of policy files, for editors.

`python -m services.notifier.policy_schema > docs/schema/policy-file.json` writes it; a test keeps it current.
"""

import json

from services.notifier.domain.policy import Policies


def policy_schema() -> str:
    """Of a file that says all; one of a clinic may leave out whole sections, which stay as shipped."""
    schema = Policies.model_json_schema()
    schema.pop("required", None)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "adaptive-care policy file"}
    return json.dumps(whole | schema | whole, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(policy_schema(), end="")  # noqa: T201  # its output is the file
