"""A real Redis or Valkey server as a child process, for a laptop that has none running.

It listens on a unix socket only, keeps its data in a folder that the user can see and delete, and is shared: a second
process that opens the same folder reaches the same server.
"""

from shared.embedded.binary import EmbeddedServerError, ServerBinary, find_server
from shared.embedded.server import EmbeddedServer, open_embedded

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerBinary", "find_server", "open_embedded"]
