"""`adaptive-care docs`: writes the generated documents, says which are stale, and releases the schemas of a version."""

import importlib.metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.document import (
    as_json,
    evidence_reference,
    json_schemas,
    log_reference,
    metric_reference,
    setting_reference,
    stream_reference,
)
from shared.log import FIELDS
from shared.metric import Metrics
from shared.protocol.library import shipped_protocols
from shared.release.folder import ReleaseError, breakages, last, number, present, texts
from shared.settings import Settings
from shared.stream.application import build_application
from shared.stream.discovery import load_documents, load_services, load_setting_classes

app = typer.Typer(help="The generated documents.", no_args_is_help=True)

Folder = Annotated[Path, typer.Option(help="Where the documents lie.")]
RELEASED = Path("schema", "released")


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
    """Fail where a generated document is not what the code says, or the events break who relies on the last release."""
    stale = [
        path
        for path, text in _documents(folder).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        typer.echo(f"{path} is stale: run `make docs`", err=True)
    broken = _breakages(folder)
    if stale or broken:
        raise typer.Exit(1)


@app.command()
def release(
    folder: Folder = Path("docs"),
    version: Annotated[
        str | None, typer.Option(help="By itself the version of the installed package, from pyproject.toml.")
    ] = None,
    again: Annotated[bool, typer.Option(help="Replace this version's schemas: only while nobody has it yet.")] = False,
) -> None:
    """Keep the present schemas as those of a version, which the next ones must not break."""
    name = version or importlib.metadata.version("adaptive-care")
    before = last(folder / RELEASED)
    if before is not None and number(name) < number(before.version):
        raise ReleaseError(f"{before.version} was released already, and {name} is older: raise the version")
    place = folder / RELEASED / name
    asyncapi = _documents(folder)[folder / "asyncapi.json"]
    files = texts(present(name), asyncapi)
    if place.is_dir() and not again:
        if all(
            (place / file).is_file() and (place / file).read_text(encoding="utf-8") == files[file] for file in files
        ):
            typer.echo(f"{name} is released, and nothing has changed since")
            return
        raise ReleaseError(f"{name} is released and other than the present: raise the version in pyproject.toml")
    if not (again and before is not None and before.version == name) and _breakages(folder):
        raise typer.Exit(1)
    place.mkdir(parents=True, exist_ok=True)
    for stale in place.glob("*.json"):
        stale.unlink()
    for file, text in files.items():
        (place / file).write_text(text, encoding="utf-8")
    typer.echo(f"{len(files)} files of {name} written to {place}")


def _breakages(folder: Path) -> bool:
    """Tells every change that breaks somebody who relies on the last release. True where there is one."""
    before = last(folder / RELEASED)
    found = [] if before is None else [str(one) for one in breakages(before, present("present"))]
    for line in found:
        typer.echo(f"since {before.version if before else ''}: {line}", err=True)
    return bool(found)


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
    documents[folder / "reference" / "metrics.md"] = metric_reference(Metrics().described)
    documents[folder / "reference" / "evidence.md"] = evidence_reference(shipped_protocols())
    return documents | {folder / path: text for path, text in load_documents().items()}


def _in_order(specification: dict[str, Any]) -> dict[str, Any]:
    """FastStream lists subscribers in no fixed order; a generated file needs one."""
    in_order = {name: dict(sorted(specification[name].items())) for name in ("channels", "operations")}
    components = {name: dict(sorted(part.items())) for name, part in specification["components"].items()}
    return specification | in_order | {"components": components}
