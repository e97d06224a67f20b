"""All that Redis holds, read as somebody would who looks for a person: every key, every value, every wrapping."""

import base64
import binascii
import contextlib
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

import zstandard
from redis.asyncio import Redis

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")
_COMPRESSED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b|\x28\xb5\x2f\xfd")
"""How zlib, gzip and zstd begin."""
DEEPEST = 5
LARGEST = 10_000_000


async def contents(client: Redis) -> dict[str, list[bytes]]:
    """Every key with its values: members, fields, entries."""
    found: dict[str, list[bytes]] = {}
    async for key in client.scan_iter("*", count=1000):
        found[key.decode()] = [bytes(part) async for part in _values(client, key)]
    return found


async def _values(client: Any, key: bytes) -> Any:
    match (await client.type(key)).decode():
        case "string":
            yield await client.get(key)
        case "hash":
            for name, value in (await client.hgetall(key)).items():
                yield name + b"\n" + value
        case "zset":
            for member in await client.zrange(key, 0, -1):
                yield member
        case "set":
            for member in await client.smembers(key):
                yield member
        case "list":
            for item in await client.lrange(key, 0, -1):
                yield item
        case "stream":
            for _, fields in await client.xrange(key):
                yield b"\n".join(name + b"\n" + value for name, value in fields.items())
        case kind:
            raise AssertionError(f"{key!r} is a {kind}: teach the scan to read it")


async def keys_that_name(client: Redis, needles: Iterable[str]) -> set[str]:
    """The keys in whose name or values one of the needles occurs, however wrapped."""
    wanted = [needle.encode() for needle in needles]
    held = await contents(client)
    return {key for key, values in held.items() if any(_names(raw, wanted) for raw in (key.encode(), *values))}


def _names(raw: bytes, wanted: list[bytes]) -> bool:
    return any(needle in layer for layer in layers(raw) for needle in wanted)


def layers(raw: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes, and what is in them as base64, compressed, or escaped for a URL: all of it, or a part anywhere."""
    yield raw
    if depth == DEEPEST:
        return
    inner = [unquote_to_bytes(raw)] if b"%" in raw else []
    for start in {0, *(found.start() for found in _COMPRESSED.finditer(raw))}:
        packed = raw[start:]
        with contextlib.suppress(zlib.error):
            inner.append(zlib.decompressobj(wbits=47).decompress(packed, LARGEST))
        with contextlib.suppress(zstandard.ZstdError):
            inner.append(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    for run in _BASE64.findall(raw):
        bare = run.rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_")
        with contextlib.suppress(binascii.Error):
            inner.append(base64.urlsafe_b64decode(bare + b"=" * (-len(bare) % 4)))
    for one in inner:
        if one and one != raw:
            yield from layers(one, depth + 1)
