"""Starts, shares and stops the embedded server of one data folder.

Two lock files in the folder say who is there; the kernel drops a lock with the last process that holds it, so neither
goes stale:

    server.lock   held by the server process itself, which inherits it: free means that no server runs here.
                  It holds the server's process id.
    owner.lock    held by the process that will stop the server: free while a server runs means that its owner
                  was killed. The next process to open the folder takes the server over, and stops it at its end.

The second is why the server needs no death signal tied to its parent: one left behind by `kill -9` is found, reused
and then stopped, on every system, and a service that a supervisor restarts at once never meets a server that is dying.
"""

import fcntl
import hashlib
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from shared.embedded.binary import EmbeddedServerError, ServerBinary, usable_servers

_START_S = 10.0
_STOP_S = 10.0
_POLL_S = 0.02
_PING_S = 1.0
_LONGEST_SOCKET_PATH = 100  # bytes; the kernels' limits are 107 (Linux) and 103 (macOS)


def open_embedded(data_dir: Path) -> "EmbeddedServer":
    """The running server of a data folder: started now, or the one that another process has already started.

    Raises EmbeddedServerError where that cannot be.
    """
    server = EmbeddedServer(data_dir)
    server.start()
    return server


class EmbeddedServer:
    """The server of one data folder; its files are in `<data_dir>/redis/`.

    What was acknowledged is on disk within a second (append-only file, fsync each second). May be started again
    after a stop, and after its server has died. Not for use from several threads at once.
    """

    def __init__(self, data_dir: Path) -> None:
        """Nothing is started or written yet."""
        self._data_dir = data_dir.absolute()
        self._folder = self._data_dir / "redis"
        self._socket: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._owner_lock: int | None = None
        self._pid: int | None = None

    @property
    def url(self) -> str:
        """`unix:///…/redis.sock`, for any Redis client of this machine. Only once started."""
        if self._socket is None:
            raise EmbeddedServerError(f"the embedded server of {self._data_dir} has not been started")
        return "unix://" + quote(str(self._socket))

    @property
    def log_path(self) -> Path:
        """What the server itself wrote, over all its runs."""
        return self._folder / "server.log"

    @property
    def is_owned(self) -> bool:
        """True where `stop` will stop the server: it was started, or taken over, by this object."""
        return self._owner_lock is not None

    @property
    def pid(self) -> int | None:
        """Process id of the server; None where it belongs to another process, or is stopped."""
        return self._pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Return once the server answers: at once where it already does, else within 10 s.

        A server that is still reading its data may take longer. Raises EmbeddedServerError.
        """
        if self._process is not None and self._process.poll() is None:
            if self._socket is not None and _ping(self._socket):
                return
            # Killed a moment ago: its sockets close before the system says that it has ended.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1)
            if self._process.poll() is None:
                return
        if self._socket is not None and _ping(self._socket) == "PONG":
            return
        self._let_go()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._start_or_attach()
        except OSError as error:
            raise EmbeddedServerError(
                f"cannot keep the embedded server's data in {self._folder}: {error.strerror or error}; "
                "let CARE_DATA_DIR name a folder that can be written to"
            ) from error

    def stop(self) -> None:
        """Stop the server if this object owns it, and return when it has gone; otherwise leave it alone."""
        if self._owner_lock is not None and self._pid is not None:
            # Whoever comes now must not attach to a server on its way out: without the socket's name it waits
            # for the lock instead. Those already connected stay so until the server closes.
            if self._socket is not None:
                self._socket.unlink(missing_ok=True)
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self._has_gone(wait_s=0):
                    break
                try:
                    os.kill(self._pid, number)
                except ProcessLookupError:
                    break
                if self._has_gone(wait_s=_STOP_S):
                    break
        self._let_go()

    def _start_or_attach(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            if (server_lock := _try_lock(self._folder / "server.lock")) is not None:
                try:
                    # The owner of a server that has just stopped keeps its lock for a moment longer.
                    if (owner_lock := _try_lock(self._folder / "owner.lock")) is not None:
                        self._owner_lock = owner_lock
                        self._spawn(server_lock)
                        return
                except BaseException:
                    self._let_go()
                    raise
                finally:
                    os.close(server_lock)  # the server has its own copy, and with it the lock
            else:
                answer = _ping(self._known_socket())
                if answer == "PONG":
                    self._attach()
                    return
                if answer == "LOADING":
                    deadline = time.monotonic() + _START_S
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    f"{self._folder} is taken: another process holds it, and no server answers there; "
                    f"stop that process, or see {self.log_path}"
                )
            time.sleep(_POLL_S)

    def _attach(self) -> None:
        """Use the server that runs, and take it over if the process that started it has gone."""
        self._socket = self._known_socket()
        pid = (self._folder / "server.lock").read_text().strip()
        if pid.isdigit() and (owner_lock := _try_lock(self._folder / "owner.lock")) is not None:
            self._owner_lock, self._pid = owner_lock, int(pid)

    def _spawn(self, server_lock: int) -> None:
        """Start a server that inherits the lock, and wait until it answers."""
        binary = self._choose_binary()
        self._socket = self._new_socket()
        # An old process id must never be taken for the new server's, should this process die half way.
        os.ftruncate(server_lock, 0)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the program was looked up, and there is no shell
                [
                    binary.path,
                    *("--dir", self._folder, "--port", "0"),
                    *("--unixsocket", self._socket, "--unixsocketperm", "700"),
                    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
                    *("--daemonize", "no", "--logfile", ""),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                # The server refuses to start under a locale that the machine does not have.
                env={**os.environ, "LC_ALL": "C"},
                pass_fds=(server_lock,),
                # Ctrl-C in the terminal is for the services, which need the server until they have stopped.
                start_new_session=True,
            )
        self._pid = self._process.pid
        os.write(server_lock, f"{self._pid}\n".encode())
        self._await_answer(binary, self._process, self._socket)

    def _await_answer(self, binary: ServerBinary, process: subprocess.Popen[bytes], path: Path) -> None:
        deadline = time.monotonic() + _START_S
        while (answer := _ping(path)) != "PONG":
            if answer == "LOADING":  # alive, and reading its data: however long that takes
                deadline = time.monotonic() + _START_S
            ended = process.poll()
            if ended is not None or time.monotonic() > deadline:
                what = f"did not answer within {_START_S:.0f} s" if ended is None else f"ended with code {ended}"
                raise EmbeddedServerError(f"{binary} {what}; the end of {self.log_path}:\n{_last_lines(self.log_path)}")
            time.sleep(_POLL_S)

    def _choose_binary(self) -> ServerBinary:
        """A server that can read what is in the folder, noted there as the one that now writes it.

        Redis and Valkey do not read each other's files, and neither reads those of its own later versions.
        """
        marker = self._folder / "written-by"
        servers = usable_servers()
        able = servers
        if marker.exists():
            family, _, major = marker.read_text().strip().partition(" ")
            if not major.isdigit():
                raise EmbeddedServerError(
                    f"{marker} does not say which server wrote the folder; delete {self._folder} to start afresh"
                )
            able = [server for server in servers if server.family == family and server.version[0] >= int(major)]
            if not able:
                raise EmbeddedServerError(
                    f"{self._folder} was written by {family} {major}, which {' and '.join(map(str, servers))} "
                    f"cannot read: install {family} {major} or newer, or delete the folder and its data"
                )
        marker.write_text(f"{able[0].family} {able[0].version[0]}\n")
        return able[0]

    def _new_socket(self) -> Path:
        """Where the new server shall listen.

        The name of a socket is short by the kernel's rule. For a deep data folder it goes to the system's
        temporary folder, and `socket-path` says where, for processes with another idea of what is temporary.
        """
        wanted, note = self._folder / "redis.sock", self._folder / "socket-path"
        if len(os.fsencode(wanted)) <= _LONGEST_SOCKET_PATH:
            note.unlink(missing_ok=True)
            return wanted
        digest = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()).absolute() / f"adaptive-care-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        # Everybody may write to the temporary folder: what waits there under our name may be somebody else's.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise EmbeddedServerError(
                f"{folder} is needed for the server's socket, but it is not a private folder of this user; delete it"
            )
        if len(os.fsencode(folder / "redis.sock")) > _LONGEST_SOCKET_PATH:
            raise EmbeddedServerError(
                f"{self._data_dir} and the temporary folder are both too deep for a socket; "
                "let CARE_DATA_DIR name a shorter one"
            )
        note.write_text(f"{folder / 'redis.sock'}\n")
        return folder / "redis.sock"

    def _known_socket(self) -> Path:
        """Where the server that runs listens."""
        wanted, note = self._folder / "redis.sock", self._folder / "socket-path"
        if len(os.fsencode(wanted)) > _LONGEST_SOCKET_PATH and note.exists():
            return Path(note.read_text().strip())
        return wanted

    def _has_gone(self, wait_s: float) -> bool:
        """Whether the server process has ended, waiting for it at most this long."""
        if self._process is not None:
            try:
                self._process.wait(timeout=wait_s)
            except subprocess.TimeoutExpired:
                return False
            return True
        deadline = time.monotonic() + wait_s
        while self._folder.exists():  # with the folder deleted nobody can tell
            if (lock := _try_lock(self._folder / "server.lock")) is not None:
                os.close(lock)
                return True
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_S)
        return False

    def _let_go(self) -> None:
        """Forget the server: no more claim on it, and, after a start that failed, no process of it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._owner_lock is not None:
            os.close(self._owner_lock)
        self._process = self._owner_lock = self._pid = self._socket = None


def _try_lock(path: Path) -> int | None:
    """An open descriptor that holds the lock, or None while another holds it."""
    # flock, not lockf: it belongs to the open file, so that the server can inherit it.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _ping(path: Path) -> str:
    """The first word of the server's answer: `PONG`, `LOADING` while it reads its data, else empty."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PING_S)
        try:
            connection.connect(os.fspath(path))
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
        except OSError:
            return ""
    word = re.match(rb"[+-]([A-Z]+)", answer)
    return word[1].decode() if word else ""


def _last_lines(log: Path, count: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
