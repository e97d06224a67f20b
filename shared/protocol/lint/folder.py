"""What the checks look at: the files of a folder that have their right form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.protocol.condition import ConditionProtocol
from shared.protocol.document import Document
from shared.protocol.library import Protocols
from shared.protocol.source import EvidenceRow


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder whose shared files are valid; conditions that are not are left out."""

    documents: Mapping[str, Document]
    evidence: Mapping[str, EvidenceRow]
    protocols: Protocols
    files: Mapping[str, ConditionProtocol]
    """Each valid condition by its file's name; a condition may have several versions."""
    known: frozenset[str]
    """Ids of all conditions on file, also of those that are not valid."""

    def newest(self) -> Iterator[tuple[str, ConditionProtocol]]:
        """The version of each condition that new episodes begin with, by file."""
        for name, protocol in self.files.items():
            if self.protocols.conditions[protocol.condition_id] is protocol:
                yield name, protocol
