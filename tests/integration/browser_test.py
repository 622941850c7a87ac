#!/usr/bin/env python3
"""The status page in a browser: with scripts and without, and that it asks nobody else for anything.

Program and browser are alone in a network namespace.  With --keep FILE the picture of the page is kept.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import ROOT, Checks, Server  # noqa: E402
from netns import Namespace, why_not  # noqa: E402
from page import Page  # noqa: E402

checks = Checks()
TIMEOUT_S = 60
# The sandbox needs user namespaces, which neither root nor a container has as a rule; what is loaded is ours.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage",
         "--hide-scrollbars"]


class Alone(Server):
    """A server in a namespace of its own."""

    def __init__(self, space, *arguments):
        self.space = space
        super().__init__(*arguments, cwd=ROOT)

    def start(self, command, **options):
        return subprocess.Popen(self.space.command(*command), **options)


class Browser:
    """Chromium with a profile of its own, which may have scripts switched off."""

    def __init__(self, space, profile, scripts=True):
        self.space, self.profile = space, profile
        settings = profile / "Default" / "Preferences"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(
            {"profile": {"default_content_setting_values": {"javascript": 1 if scripts else 2}}}))

    def run(self, *arguments):
        return subprocess.run(self.space.command("chromium", *FLAGS, f"--user-data-dir={self.profile}", *arguments),
                              capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S)

    def document(self, url, *arguments):
        """The document as it is in the end, as markup."""
        return self.run(*arguments, "--dump-dom", url).stdout

    def picture(self, url, file, width, height):
        self.run(f"--screenshot={file}", f"--window-size={width},{height}", url)
        return file.read_bytes() if file.exists() else b""


def requests_of(log):
    """What the page asked for, without what the browser asks for by itself."""
    events = json.loads(log.read_text())
    kind = events["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event["params"] for event in events["events"] if event["type"] == kind and "params" in event]
    return [params["url"] for params in asked if params.get("initiator", "").startswith("http")]


def in_a_browser(space, scratch, keep):
    with Alone(space, "--manifests", "zones/demo", "--metrics-listen", "127.0.0.1:0",
               "--forward", "127.0.0.1:9") as server:
        url = next(line for line in server.out if line.startswith("status page on ")).split(" ")[-1]
        for name, times in (("cart.shop.svc.cluster.local", 40), ("web.shop.svc.cluster.local", 25),
                            ("db.shop.svc.cluster.local", 9), ("cart.shop.svc.cluster.local.svc.cluster.local", 12)):
            queries = f"{name} A\n" * times
            time.sleep(1)  # So that the curves are curves.
            space.run("dig", "+tries=1", f"@{server.address}", "-p", server.port, "-f", "-", stdin=queries)

        plain = Browser(space, scratch / "plain", scripts=False)
        document = plain.document(url)
        if not document:
            checks.skip(f"chromium does not run here: {plain.run('--dump-dom', url).stderr[-300:]!r}")
            return
        page = Page(document)
        checks.equal("without scripts: every table is there",
                     {"The program", "The world", "Answers by rcode", "Names that are asked for most",
                      "Clients that ask most", "Upstreams"} - set(page.tables), set())
        checks.equal("without scripts: names", page.tables["Names that are asked for most"][1][:2],
                     ["cart.shop.svc.cluster.local.", "40"])
        checks.lacks("without scripts: nothing that needs one", document, "Refresh every")
        found = Page(plain.document(url + "services?q=cart"))
        checks.contains("without scripts: a search with answers", str(found.tables["Services"]), "10.96.7.20")

        full = Browser(space, scratch / "full")
        log = scratch / "net.json"
        document = full.document(url, f"--log-net-log={log}", "--virtual-time-budget=12000", "--enable-logging=stderr")
        checks.contains("with scripts: it offers to refresh", document, "Refresh every 5 seconds")
        checks.contains("with scripts: it has refreshed", document, "data-refreshed=")
        asked = requests_of(log)
        checks.equal("it has asked for its style, its script and itself",
                     {url + "status.css", url + "status.js", url} - set(asked), set())
        checks.equal("it has asked nobody else", [each for each in asked if not each.startswith(url)], [])
        errors = full.run("--enable-logging=stderr", "--virtual-time-budget=1000", "--dump-dom", url).stderr
        checks.lacks("its own policy forbids it nothing", errors, "Content Security Policy")

        for name, width, height in (("laptop", 1200, 1350), ("phone", 400, 900)):
            picture = full.picture(url, scratch / f"{name}.png", width, height)
            checks.equal(f"a picture on a {name}",
                         picture[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">2I", picture[16:24]), (width, height))
            checks.less(f"a picture on a {name} shows more than one color", 10_000, len(picture))
        if keep:
            shutil.copy(scratch / "laptop.png", keep)


kept = sys.argv[sys.argv.index("--keep") + 1] if "--keep" in sys.argv else None
why = why_not() or (None if shutil.which("chromium") else "chromium is not installed")
if why:
    checks.skip(why)
else:
    with tempfile.TemporaryDirectory(prefix="waypost-browser-", ignore_cleanup_errors=True) as folder:
        own = Namespace("browser")
        try:
            in_a_browser(own, pathlib.Path(folder), kept)
        except subprocess.TimeoutExpired:
            checks.skip(f"chromium does not end within {TIMEOUT_S} s here")
        own.remove()
checks.finish()
