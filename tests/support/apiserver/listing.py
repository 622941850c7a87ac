"""Lists: which objects a request gets, in which pages, and as which octets."""

import base64
import bisect
import json
import zlib

from . import statuses

BLOCK = 64 << 10  # Octets that are handed on at once.
GZIP_FROM = 128 << 10  # Smaller bodies are never compressed.


def encode_continue(version, start):
    """The real server's token: where the next page starts, and in which version of the world."""
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": version, "start": start},
                      separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_continue(token):
    try:
        held = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if held["v"] != "meta.k8s.io/v1":
            raise ValueError("its version is not known")
        return int(held["rv"]), str(held["start"])
    except (ValueError, KeyError, TypeError) as wrong:
        raise statuses.bad_request(f"continue key is not valid: {wrong}") from None


def version_of(query):
    text = query.get("resourceVersion", "")
    if text and not text.isdigit():
        raise statuses.bad_request(f'resourceVersion: Invalid value: "{text}": '
                                   f'strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text) if text else None


def _limit_of(query):
    text = query.get("limit", "")
    return int(text) if text.isdigit() else 0


class Page:
    """What one list request gets."""

    def __init__(self, entries, version, next_token="", remaining=None):
        self.entries = entries
        self.version = version
        self.next_token = next_token
        self.remaining = remaining


def choose_page(store, kind, selector, query, expired):
    """Applies resourceVersion, resourceVersionMatch, limit and continue.  Raises a Refusal.

    Differs from the real server: a version that is not there yet is refused at once, not after
    three seconds of waiting for it.
    """
    if "sendInitialEvents" in query:
        raise statuses.invalid_option("sendInitialEvents",
                                      "sendInitialEvents is forbidden for list")
    match = query.get("resourceVersionMatch", "")
    asked = version_of(query)
    limit = _limit_of(query)
    token = query.get("continue", "")
    if match and asked is None:
        raise statuses.invalid_option("resourceVersionMatch", "resourceVersionMatch is forbidden "
                                      "unless resourceVersion is provided")
    start = ""
    version = store.version
    past = None
    if token:
        if asked:
            raise statuses.bad_request("specifying resource version is not allowed when using "
                                       "continue")
        version, start = decode_continue(token)
        if version == -1:  # The rest of an expired list, as things are now.
            version = store.version
        elif expired or version < store.oldest(kind):
            raise statuses.continue_expired(encode_continue(-1, start))
        else:
            past = version
    elif expired:
        raise statuses.version_expired()
    elif asked:
        if asked > store.version:
            raise statuses.too_large_version(asked, store.version)
        if match == "Exact" or (limit and not match):
            if asked < store.oldest(kind):
                raise statuses.version_expired()
            version = past = asked
    elif asked == 0:
        limit = 0  # "Any version" is served from the watch cache, which knows no pages.

    entries = store.entries(kind, past)
    first = 0
    if start:
        key = start.removeprefix("/").rstrip("\0")
        first = bisect.bisect_right(entries, key, key=lambda entry: entry.key)
    found = []
    at = first
    while at < len(entries) and not (limit and len(found) == limit):
        if selector.matches(entries[at]):
            found.append(entries[at])
        at += 1
    if at == len(entries):
        return Page(found, version)
    return Page(found, version, encode_continue(version, f"/{entries[at - 1].key}\0"),
                None if selector.is_restricted else len(entries) - at)


def page_pieces(kind, page, metadata_only):
    """The list's text, object by object."""
    metadata = {"resourceVersion": str(page.version)}
    if page.next_token:
        metadata["continue"] = page.next_token
    if page.remaining:
        metadata["remainingItemCount"] = page.remaining
    name, version = (("PartialObjectMetadata", "meta.k8s.io/v1") if metadata_only
                     else (kind.name, kind.api_version))
    yield (f'{{"kind":"{name}List","apiVersion":"{version}",'
           f'"metadata":{json.dumps(metadata, separators=(",", ":"))},"items":[').encode()
    comma = b""
    for entry in page.entries:
        yield comma
        yield entry.metadata_only() if metadata_only else entry.text
        comma = b","
    yield b"]}\n"


def in_blocks(pieces, size=BLOCK):
    """Joins small pieces, so that the number of writes does not follow the number of objects."""
    held = []
    held_size = 0
    for piece in pieces:
        held.append(piece)
        held_size += len(piece)
        if held_size >= size:
            yield b"".join(held)
            held.clear()
            held_size = 0
    if held:
        yield b"".join(held)


def gzip_if_large(pieces):
    """Returns whether the body is compressed, and its blocks.  The real server decides by the first
    128 KiB, which it holds back, and compresses for speed."""
    blocks = in_blocks(pieces, GZIP_FROM)
    first = next(blocks)
    if len(first) < GZIP_FROM:
        return False, iter([first])

    def compressed():
        packer = zlib.compressobj(level=1, wbits=31)
        yield packer.compress(first)
        for block in blocks:
            yield packer.compress(block)
        yield packer.flush()

    return True, (block for block in compressed() if block)


def framed(pieces, chunker):
    """The pieces as chunks, in blocks."""
    def frames():
        for piece in pieces:
            yield chunker.frame(piece)
        yield chunker.flush()

    return in_blocks(frames())


def first_octets(pieces, size):
    """The pieces up to so many octets."""
    for piece in pieces:
        if size <= 0:
            return
        yield piece[:size]
        size -= len(piece)
