"""The recipe for a new channel works as it is printed."""

import re
import textwrap
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).parents[2] / "docs" / "adding-a-channel.md"


async def test_the_channel_of_the_recipe_passes_the_test_of_the_recipe() -> None:
    """Whoever follows the page gets a channel that says what became of a message."""
    blocks = re.findall(r"^   ```python\n(.*?)^   ```$", RECIPE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    module: dict[str, Any] = {"__name__": "ntfy"}
    for block in blocks:
        exec(textwrap.dedent(block), module)  # noqa: S102  # the page's own code
    await module["test_what_becomes_of_a_push"]()
