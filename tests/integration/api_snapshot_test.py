#!/usr/bin/env python3
"""A saved world: a start while the API server is down answers from it, says so, and reconciles."""

import time

from api_client import cluster
from api_scenarios import (LISTENING, STEADY, WATCHED, Steady, check_equal_worlds, dns_server,
                           everything, from_fresh, objects, settles, shop, web)
from api_server import ApiServer
from harness import Checks, Folder

checks = Checks()


def saved(api, file):
    """Saves a snapshot of what `api` has; returns all that was answered then."""
    with dns_server(api, "--snapshot", file) as server:
        api.wait_for_watches(*WATCHED)
        known = everything(server, cluster.questions(objects(api)))
        checks.equal("a server with a snapshot ends", server.stop(), 0)
    checks.equal("and leaves it", file.is_file(), True)
    return known


def start_without_api_server():
    with Folder() as folder, ApiServer() as api:
        file = folder / "world"
        shop(api, services=200)
        before = saved(api, file)
        questions = [question for question in before if isinstance(question, tuple)]
        api.down()
        begun = time.monotonic()
        with dns_server(api, "--snapshot", file, ready=LISTENING) as server:
            seconds = server.poll(STEADY[0], "A", lambda rcode, records: records == [STEADY[1]])
            checks.equal("it answers without an API server", seconds is not None, True)
            print(f"  from start to answer: {(time.monotonic() - begun) * 1000:.0f} ms")
            check_equal_worlds(checks, "from a snapshot", everything(server, questions), before)
            checks.contains("its answers are marked as stale", server.dig(STEADY[0]).text, "EDE: 3")
            with Steady(server, *STEADY) as steady:
                for number in range(0, 20, 2):
                    api.delete(kind="Service", name=f"svc-{number}", namespace=f"ns-{number % 10}")
                api.put(web("10.97.0.9", "new"))
                api.compact()
                api.up()
                api.wait_for_watches(*WATCHED, timeout=30)
                fresh = from_fresh(api)
                check_equal_worlds(checks, "reconciled", settles(server, api, fresh), fresh)
                checks.equal("what was deleted is gone",
                             server.dig("svc-0.ns-0.svc.cluster.local").status, "NXDOMAIN")
                server.wait_for(lambda: "EDE: 3" not in server.dig(STEADY[0]).text, 5)
                checks.lacks("its answers are fresh again", server.dig(STEADY[0]).text, "EDE: 3")
            steady.check(checks, "from stale to fresh")


def damaged_files():
    with Folder() as folder, ApiServer() as api:
        shop(api, services=200)
        file = folder / "world"
        saved(api, file)
        whole = file.read_bytes()
        middle = len(whole) // 2
        for what, octets in (("cut off", whole[:middle]), ("empty", b""),
                             ("foreign", b"not a snapshot\n" * 100),
                             ("with one octet changed",
                              whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:])):
            file.write_bytes(octets)
            with dns_server(api, "--snapshot", file) as server:
                told = server.wait_for_log(str(file))
                checks.less(f"a file that is {what} is told of", 0, len(told))
                checks.equal(f"{what}: the API server's world is answered",
                             server.dig(STEADY[0]).values(), [STEADY[1]])


start_without_api_server()
damaged_files()
checks.finish()
