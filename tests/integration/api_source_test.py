#!/usr/bin/env python3
"""waypost-dns over an API server that lists, watches, forgets, restarts and misbehaves."""

import re
import time
import urllib.parse

from api_client import cluster
from api_scenarios import (LIMIT, LISTENING, STEADY, WATCHED, WEB, Steady, check_equal_worlds,
                           dns_server, everything, from_fresh, from_manifests, has, is_gone,
                           objects, settles, shop, web)
from api_server import ApiServer
from harness import Checks

checks = Checks()


def seen(what, server, name, wanted, qtype="A", limit=LIMIT):
    """Checks that a change is answered, and returns how long it took, in seconds."""
    seconds = server.poll(name, qtype, wanted, timeout=limit)
    checks.less(f"{what} is answered", limit if seconds is None else seconds, limit)
    return seconds


def counts_its_requests(how, server, api, refused):
    """By client-go's names, all that the server saw; `refused` with status 422."""
    host = urllib.parse.urlsplit(api.url).netloc
    name = "coredns_kubernetes_rest_client_request"
    samples = {f'{name}s_total{{code="{code}",method="GET",host="{host}"}}': code for code in ("200", "422", "<error>")}
    samples[f'{name}_duration_seconds_count{{verb="GET",host="{host}"}}'] = "timed"
    end = time.monotonic() + LIMIT
    while True:
        total = len(api.requests())
        wanted = {"200": total - refused, "<error>": 0, "timed": total, **({"422": refused} if refused else {})}
        found = {samples[sample]: int(value) for sample, value
                 in re.findall(r"^(\w+\{.*\}) (\d+)$", server.metrics(), re.MULTILINE) if sample in samples}
        if found == wanted or time.monotonic() > end:
            break
        time.sleep(0.05)  # A request, or the head of its response, is on its way.
    checks.less(f"{how}: requests for each kind", 2, total)
    checks.equal(f"{how}: requests by what became of them", found, wanted)


def initial_sync():
    """The same world by a streaming list, by pages, and from manifests."""
    for is_streaming in (True, False):
        how = "a streaming list" if is_streaming else "lists in pages"
        with ApiServer(watch_list=is_streaming) as api:
            shop(api, services=700)
            with dns_server(api, "--metrics-listen", "127.0.0.1:0") as server:
                check_equal_worlds(checks, how, everything(
                    server, cluster.questions(objects(api))), from_manifests(api))
                checks.equal(f"{how}: every kind is watched", api.wait_for_watches(*WATCHED), True)
                counts_its_requests(how, server, api, 0 if is_streaming else 3)
            seen_requests = api.requests(resource="services")
            lists = [one["query"] for one in seen_requests if one["verb"] == "list"]
            watches = [one["query"] for one in seen_requests if one["verb"] == "watch"]
            if is_streaming:
                checks.equal(f"{how}: no other list is asked for", lists, [])
                checks.equal(f"{how}: one watch", len(watches), 1)
            else:
                checks.equal(f"{how}: a page follows the other",
                             ["continue" in query for query in lists], [False, True])
                checks.equal(f"{how}: the watch goes on from the list",
                             watches[-1].get("resourceVersion"), str(api.version()))
            checks.matches(f"{how}: the User-Agent", seen_requests[0]["user_agent"],
                           r"^waypost-dns/\d")
            checks.equal(f"{how}: bookmarks are asked for",
                         watches[-1].get("allowWatchBookmarks"), "true")


def expired_pages():
    for times in (1, None):
        how = f"continue tokens that expire {'once' if times else 'always'}"
        with ApiServer(watch_list=False) as api:
            shop(api, services=1200)
            api.fault(resource="services", verb="list", query={"continue": "*"}, expired=True,
                      times=times)
            with dns_server(api) as server:
                check_equal_worlds(checks, how, everything(
                    server, cluster.questions(objects(api))), from_manifests(api))


def peers(*addresses):
    return cluster.endpoint_slice(
        "peers-1", "peers", "shop",
        [cluster.endpoint(address, f"peer-{number}", pod=f"p-{number}", namespace="shop")
         for number, address in enumerate(addresses)],
        [{"name": "http", "port": 80}], headless=True)


def live_changes():
    with ApiServer() as api:
        shop(api)
        with dns_server(api, "--pods", "verified", "--namespace-labels", "!hidden") as server:
            api.wait_for_watches(*WATCHED, "pods")
            took = []
            for number in range(50):
                address = f"10.97.1.{number + 1}"
                at = api.put(web(address))["at"]
                server.poll(WEB, "A", has(address), timeout=LIMIT, interval=0)
                took.append(time.monotonic() - at)
            took.sort()
            print(f"  change to answer: p50 {took[25] * 1000:.2f} ms, worst "
                  f"{took[-1] * 1000:.2f} ms")
            checks.less("changes are answered", took[-1], LIMIT)
            seen("a new port", server, f"_http._tcp.{WEB}",
                 lambda rcode, records: len(records) == 1, "SRV")
            api.delete(kind="Service", name="web", namespace="shop")
            seen("a deleted Service", server, WEB, is_gone)

            api.put(web("None", "peers"))
            api.put(peers("10.98.0.1"))
            seen("a new slice", server, "peers.shop.svc.cluster.local", has("10.98.0.1"))
            api.put(peers("10.98.0.1", "10.98.0.2"))
            seen("a new endpoint", server, "peer-1.peers.shop.svc.cluster.local", has("10.98.0.2"))
            api.delete(kind="EndpointSlice", name="peers-1", namespace="shop")
            seen("a deleted slice", server, "peer-1.peers.shop.svc.cluster.local", is_gone)

            pod = "10-98-0-9.shop.pod.cluster.local"
            api.put(cluster.pod("p", "shop", ["10.98.0.9"]))
            seen("a new Pod", server, pod, has("10.98.0.9"))
            api.delete(kind="Pod", name="p", namespace="shop")
            seen("a deleted Pod", server, pod, is_gone)

            api.put(cluster.namespace("shop", {"hidden": "yes"}))
            seen("a Namespace's label", server, STEADY[0], is_gone)
            api.put(cluster.namespace("shop"))
            seen("its label gone", server, STEADY[0], has(STEADY[1]))
            api.delete(kind="Namespace", name="shop")
            seen("a deleted Namespace", server, STEADY[0], is_gone)
            requests = api.requests(resource="services")
            checks.equal("all over one watch", len(requests), 1)


def gone():
    """The history does not go back far enough: what changed unseen is found by a list."""
    for how in ("event", "status"):
        with ApiServer() as api:
            shop(api)
            api.put(web())
            with dns_server(api) as server, Steady(server, *STEADY) as steady:
                api.wait_for_watches(*WATCHED)
                api.put(web("10.97.0.8"), silent=True)
                api.put(web("10.97.0.9", "unseen"), silent=True)
                api.delete(kind="Service", name="svc-0", namespace="ns-0", silent=True)
                if how == "event":
                    api.emit_error(kind="Service")
                else:
                    api.fault(resource="services", verb="watch", status=410, times=1)
                    api.end_watches(kind="Service")
                seen(f"410 as {how}: a change", server, WEB, has("10.97.0.8"))
                seen(f"410 as {how}: a new object", server, "unseen.shop.svc.cluster.local",
                     has("10.97.0.9"))
                seen(f"410 as {how}: a deletion", server, "svc-0.ns-0.svc.cluster.local", is_gone)
                check_equal_worlds(checks, f"410 as {how}", everything(
                    server, cluster.questions(objects(api))), from_fresh(api))
            steady.check(checks, f"410 as {how}")


def restart():
    """The server dies and comes back at its address with another world and without a past."""
    for gently in (False, True):
        how = f"a server that goes {'in good order' if gently else 'suddenly'}"
        with ApiServer() as api:
            shop(api)
            api.put(web())
            with dns_server(api) as server, Steady(server, *STEADY) as steady:
                api.wait_for_watches(*WATCHED)
                before = everything(server, cluster.questions(objects(api)))
                api.down(gently=gently)
                time.sleep(0.3)
                check_equal_worlds(checks, f"{how}, while away", everything(
                    server, [question for question in before if isinstance(question, tuple)]),
                    before)
                for number in range(0, 10, 2):
                    api.delete(kind="Service", name=f"svc-{number}", namespace=f"ns-{number}")
                api.delete(kind="Namespace", name="ns-1")
                api.put(web("10.97.0.8"))
                api.put(web("None", "headless"))
                # The same name, another object.
                api.delete(kind="Service", name="svc-9", namespace="ns-9")
                api.put(cluster.service("svc-9", "ns-9", "10.97.0.99", [cluster.port(1, "one")]))
                api.compact()
                api.up()
                checks.equal(f"{how}: every kind is watched again",
                             api.wait_for_watches(*WATCHED, timeout=20), True)
                fresh = from_fresh(api)
                check_equal_worlds(checks, how, settles(server, api, fresh), fresh)
            steady.check(checks, how)


def slow_and_split():
    with ApiServer() as api:
        shop(api)
        api.put({**web(), "metadata": {"name": "web", "namespace": "shop",
                                       "annotations": {"note": "größe ☃ 𝛑 <&>"}}})
        wanted = from_manifests(api)
        for sizes in ([1], [2], [3, 5, 7], [4096]):
            number = api.fault(chunks=sizes)
            with dns_server(api) as server:
                check_equal_worlds(checks, f"chunks of {sizes} octets", everything(
                    server, cluster.questions(objects(api))), wanted)
            api.clear_fault(number=number)
        api.fault(resource="services", slow_bytes=1500, slow_ms=20)
        with dns_server(api, ready=LISTENING) as server:
            answer = server.dig(WEB)
            checks.equal("before everything is known", answer.status, "SERVFAIL")
            checks.contains("and why", answer.text, "EDE: 14")
            checks.equal("other names are served", server.dig("localhost").values(), ["127.0.0.1"])
            seen("a slow list", server, WEB, has("10.97.0.7"))
            checks.equal("then it is ready", server.wait_for(lambda: "ready" in server.out), True)


def resets():
    """The stream breaks at one octet after the other: at the start, and while it is resumed."""
    with ApiServer() as api:
        shop(api, services=5)
        wanted = from_fresh(api)
        api.wait_for(lambda server: server.watches() == 0)
        whole = max(one["sent"] for one in api.requests(resource="services"))
        checks.less("a list is some thousand octets", 4000, whole)
        for at in sorted({0, 1, 100, 300, *range(400, whole, max(1, whole // 8)), whole - 1}):
            number = api.fault(resource="services", reset_after=at, times=1)
            with dns_server(api) as server:
                checks.equal(f"reset after {at} of {whole} octets of the list",
                             everything(server, [q for q in wanted if isinstance(q, tuple)]),
                             wanted)
            api.clear_fault(number=number)
        with dns_server(api) as server, Steady(server, *STEADY) as steady:
            api.wait_for_watches("services")
            for turn, at in enumerate((0, 50, 390, 500, 900, 1300, 1800, 2600)):
                api.fault(resource="services", verb="watch", reset_after=at, times=1)
                address = f"10.97.2.{turn + 1}"
                api.down()
                for name in ("web", "other"):
                    api.put(web(address, name))
                api.up()
                seen(f"a change over a watch that is reset after {at} octets", server,
                     "other.shop.svc.cluster.local", has(address), limit=15)
        steady.check(checks, "resets")


def bad_objects():
    with ApiServer() as api:
        shop(api)
        api.put(web())
        broken = web("10.97.0.9", "broken")
        broken["spec"]["ports"] = "eighty"
        api.put(broken)
        with dns_server(api) as server:
            told = server.wait_for_log("shop/broken")
            checks.equal("a bad object is told of once", len(told), 1)
            checks.contains("with its field", told[0] if told else "", "spec.ports")
            checks.equal("it has no name", server.dig("broken.shop.svc.cluster.local").status,
                         "NXDOMAIN")
            checks.equal("the others have", server.dig(WEB).values(), ["10.97.0.7"])
            turned = web("10.97.0.8")
            turned["spec"]["clusterIP"] = 7
            api.put(turned)
            server.wait_for_log("shop/web")
            checks.equal("one that turns bad keeps its last good version",
                         server.dig(WEB).values(), ["10.97.0.7"])
            api.put(web("10.97.0.9", "broken"))
            seen("a bad object that is mended", server, "broken.shop.svc.cluster.local",
                 has("10.97.0.9"))
            api.put(web("10.97.0.8"))
            seen("and the other", server, WEB, has("10.97.0.8"))
            checks.equal("nothing is listed again for that",
                         len(api.requests(resource="services")), 1)


def strange_streams():
    """Lines that no server should send cost a list at most, never the data."""
    half = '{"type":"MODIFIED","object":{"kind":"Service","apiVersion":"v1","metad'
    for what, line in (("an unknown event", '{"type":"SURPRISE","object":{"metadata":{}}}'),
                       ("no JSON", '{"type":"ADDED","object":]'), ("an empty line", ""),
                       ("half a line and the end", half)):
        with ApiServer() as api:
            shop(api)
            with dns_server(api) as server, Steady(server, *STEADY) as steady:
                api.wait_for_watches(*WATCHED)
                api.emit(kind="Service", line=line)
                if line == half:
                    api.end_watches(kind="Service")
                api.put(web())
                seen(f"a change after {what}", server, WEB, has("10.97.0.7"), limit=10)
            steady.check(checks, what)
    for fault in ({"garbage": True}, {"truncate_body": 3000}):
        with ApiServer(watch_list=False) as api:
            shop(api)
            api.fault(resource="services", verb="list", times=2, **fault)
            with dns_server(api) as server:
                check_equal_worlds(checks, f"a list with {fault}", everything(
                    server, cluster.questions(objects(api))), from_manifests(api))


initial_sync()
expired_pages()
live_changes()
gone()
restart()
slow_and_split()
resets()
bad_objects()
strange_streams()
checks.finish()
