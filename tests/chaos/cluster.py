"""A Redis Cluster of three masters and three replicas, as processes of a run's own."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from tests.chaos.patience import until
from tests.chaos.server import Server
from tests.support.running import free_port

MASTERS = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 2000
FORMED_S = 60.0


class Cluster:
    """Six servers: the first three begin as masters, each of the others as the replica of one of them."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.nodes = [
            Server(
                folder / f"node-{n}",
                port,
                *("--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"),
                *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-port", str(port + 1)),
                *arguments,
                fsync="everysec",
            )
            for n, port in enumerate(free_port() for _ in range(2 * MASTERS))
        ]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    async def start(self) -> None:
        """Returns once every node says that the cluster is well. Raises TimeoutError after a minute."""
        await asyncio.gather(*(node.start() for node in self.nodes))
        ids = [str(self.ask(node, "CLUSTER", "MYID")) for node in self.nodes]
        share = SLOTS // MASTERS + 1
        for n, node in enumerate(self.nodes):
            if n < MASTERS:
                self.ask(node, "CLUSTER", "ADDSLOTSRANGE", n * share, min((n + 1) * share, SLOTS) - 1)
            # An epoch of its own for each, else two masters may claim one, which takes them a while to settle.
            self.ask(node, "CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            bus = self.nodes[0]
            self.ask(node, "CLUSTER", "MEET", "127.0.0.1", bus.port, bus.cluster_port)
        await until(self._have_met, within_s=FORMED_S, what="six nodes to meet")
        for n, node in enumerate(self.nodes[MASTERS:]):
            self.ask(node, "CLUSTER", "REPLICATE", ids[n])
        await self.until_well()

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()

    def masters(self) -> list[Server]:
        """The nodes that are masters by their own word."""
        return [node for node in self.nodes if node.is_running and self._role(node) == "master"]

    def replica_of(self, master: Server) -> Server:
        """A running replica of a master."""
        (found,) = [
            node
            for node in self.nodes
            if node.is_running and (said := self._said(node))[0] == "slave" and int(said[2]) == master.port
        ]
        return found

    async def until_well(self) -> None:
        """Every node runs and says that all slots are served, and every replica follows its master."""
        await until(self._are_well, within_s=FORMED_S, what="a cluster that is well")

    def holds(self, node: Server, slot: int) -> bool:
        """The node serves a slot as its master."""
        table: list[Any] = self.ask(node, "CLUSTER", "SLOTS")
        return any(first <= slot <= last and master[1] == node.port for first, last, master, *_ in table)

    async def fail_over(self, dice: random.Random) -> str:
        """Kills a master, waits until its replica has taken over, and starts it again, as a replica now."""
        victim = dice.choice(self.masters())
        took_s = await self.replace(victim, self.replica_of(victim))
        return f"node {self.nodes.index(victim)}, replaced after {took_s:.1f} s"

    async def replace(self, victim: Server, heir: Server, meanwhile: Callable[[], None] = lambda: None) -> float:
        """As `fail_over`, of a given master and replica. Returns after how many seconds that had taken over."""
        begun = time.monotonic()
        victim.kill()
        meanwhile()
        await until(lambda: self._leads(heir), within_s=FORMED_S, what="a replica to take over")
        took_s = time.monotonic() - begun
        await victim.start()
        await self.until_well()
        return took_s

    def ask(self, node: Server, *command: Any) -> Any:
        """One command to one node, as it is."""
        with redis.Redis(port=node.port, socket_timeout=5, decode_responses=True) as client:
            return client.execute_command(*command)

    async def _have_met(self) -> bool:
        return all(len(self._table(node)) == len(self.nodes) for node in self.nodes)

    async def _are_well(self) -> bool:
        return all(self._is_well(node) for node in self.nodes)

    async def _leads(self, node: Server) -> bool:
        return self._role(node) == "master"

    def _said(self, node: Server) -> list[Any]:
        with contextlib.suppress(redis.RedisError):
            found: list[Any] = self.ask(node, "ROLE")
            return found
        return [""]

    def _role(self, node: Server) -> str:
        return str(self._said(node)[0])

    def _table(self, node: Server) -> list[str]:
        with redis.Redis(port=node.port, socket_timeout=5) as client:
            raw: Any = client.execute_command("CLUSTER NODES")
        return list(raw)

    def _is_well(self, node: Server) -> bool:
        with contextlib.suppress(redis.RedisError):
            info: Any = self.ask(node, "CLUSTER INFO")
            state = info["cluster_state"] if isinstance(info, dict) else str(info)
            said = self._said(node)
            return "ok" in state and (said[0] == "master" or (said[0] == "slave" and said[3] == "connected"))
        return False
