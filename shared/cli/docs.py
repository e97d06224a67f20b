"""`adaptive-care docs`: writes the generated documents, or says which are stale."""

from pathlib import Path
from typing import Annotated, Any

import typer

from shared.document import (
    as_json,
    evidence_reference,
    json_schemas,
    log_reference,
    setting_reference,
    stream_reference,
)
from shared.log import FIELDS
from shared.protocol.library import shipped_protocols
from shared.settings import Settings
from shared.stream.application import build_application
from shared.stream.discovery import load_documents, load_services, load_setting_classes

app = typer.Typer(help="The generated documents.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option(help="Where the documents lie.")]


@app.command()
def write(folder: Folder = Path("docs")) -> None:
    """Write every generated document."""
    documents = _documents(folder)
    for path, text in documents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    typer.echo(f"{len(documents)} documents written to {folder}")


@app.command()
def check(folder: Folder = Path("docs")) -> None:
    """Fail where a generated document is not what the code says."""
    stale = [
        path
        for path, text in _documents(folder).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        typer.echo(f"{path} is stale: run `make docs`", err=True)
    if stale:
        raise typer.Exit(1)


def _documents(folder: Path) -> dict[Path, str]:
    settings = Settings(redis_url="redis://localhost:6379", consumer="replica-0")
    services = [make_service(settings) for make_service in load_services().values()]
    application = build_application(services, settings)
    documents = {folder / "schema" / name: text for name, text in json_schemas().items()}
    documents[folder / "asyncapi.json"] = as_json(_in_order(application.schema.to_specification().to_jsonable()))
    documents[folder / "openapi.json"] = as_json(application.door.openapi())
    documents[folder / "reference" / "streams.md"] = stream_reference(services)
    documents[folder / "reference" / "settings.md"] = setting_reference(load_setting_classes())
    documents[folder / "reference" / "log-fields.md"] = log_reference(FIELDS)
    documents[folder / "reference" / "evidence.md"] = evidence_reference(shipped_protocols())
    return documents | {folder / path: text for path, text in load_documents().items()}


def _in_order(specification: dict[str, Any]) -> dict[str, Any]:
    """FastStream lists subscribers in no fixed order; a generated file needs one."""
    in_order = {name: dict(sorted(specification[name].items())) for name in ("channels", "operations")}
    components = {name: dict(sorted(part.items())) for name, part in specification["components"].items()}
    return specification | in_order | {"components": components}
