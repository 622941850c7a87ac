#!/usr/bin/env python3
"""The test API server keeps the protocol: pages, selectors, watches, compression, large lists.

What it says word for word is compared with recordings in api_replay_test.py; how it fails on
demand is in api_faults_test.py.
"""

import json
import pathlib
import time
import urllib.parse
import zlib

from api_client import (QUIET, SERVICES, STREAM, Watcher, cluster, connect, get, get_json, names,
                        request_text, web)
from api_server import ApiServer
from harness import Checks, Folder

checks = Checks()


def pages():
    with ApiServer() as api:
        api.load(objects=[web(f"web-{n}") for n in range(5)])
        version = api.version()
        first = get_json(api, f"{SERVICES}?limit=2")
        checks.equal("the first page", names(first), ["web-0", "web-1"])
        checks.equal("what remains", first["metadata"]["remainingItemCount"], 3)
        token = first["metadata"]["continue"]
        api.delete(kind="Service", name="web-3", namespace="shop")
        api.put(web("web-9"))
        rest = get_json(api, f"{SERVICES}?limit=9&continue={token}")
        checks.equal("a later page shows the world of the first", names(rest),
                     ["web-2", "web-3", "web-4"])
        checks.equal("at its version", rest["metadata"]["resourceVersion"], str(version))
        checks.equal("a page without limit", names(get_json(api, SERVICES)),
                     ["web-0", "web-1", "web-2", "web-4", "web-9"])
        exact = f"{SERVICES}?resourceVersion={version}&resourceVersionMatch=Exact"
        checks.equal("an old version by its number", len(get_json(api, exact)["items"]), 5)
        checks.equal("version 0 knows no limit",
                     len(get_json(api, f"{SERVICES}?limit=1&resourceVersion=0")["items"]), 5)
        api.compact()
        status, _, body = get(api, f"{SERVICES}?limit=2&continue={token}")
        expired = json.loads(body)
        checks.equal("a page after compaction", (status, expired["reason"]), (410, "Expired"))
        rest = get_json(api, f"{SERVICES}?continue={expired['metadata']['continue']}")
        checks.equal("its token leads to the rest of today's world", names(rest),
                     ["web-2", "web-4", "web-9"])
        checks.equal("an old version after compaction", get(api, exact)[0], 410)
        for query, code in (("continue=nonsense", 400), ("resourceVersion=x", 400),
                            ("resourceVersionMatch=Exact", 422), ("sendInitialEvents=true", 422),
                            (f"continue={token}&resourceVersion=3", 400)):
            checks.equal(f"a list with {query[:30]}", get(api, f"{SERVICES}?{query}")[0], code)


def selectors():
    with ApiServer() as api:
        api.load(objects=[web("a"), web("b"), cluster.service("h", "shop", "None")])
        api.put({**web("l"), "metadata": {"name": "l", "namespace": "den",
                                          "labels": {"tier": "front", "x": "1"}}})
        for field, expected in (
                ("labelSelector=tier=front", ["l"]), ("labelSelector=tier!=front", ["a", "b", "h"]),
                ("labelSelector=!tier", ["a", "b", "h"]), ("labelSelector=tier,x==1", ["l"]),
                ("labelSelector=tier in (back,front)", ["l"]),
                ("labelSelector=tier notin (front),!x", ["a", "b", "h"]),
                ("fieldSelector=metadata.name=b", ["b"]),
                ("fieldSelector=spec.clusterIP!=None,metadata.namespace=shop", ["a", "b"]),
                ("fieldSelector=spec.clusterIP=None", ["h"])):
            path = f"{SERVICES}?{urllib.parse.quote(field, safe='=')}"
            checks.equal(f"a list with {field}", sorted(names(get_json(api, path))), expected)
        checks.equal("a namespace's list", names(get_json(api, "/api/v1/namespaces/den/services")),
                     ["l"])
        status, _, body = get(api, f"{SERVICES}?fieldSelector=spec.color=red")
        checks.equal("a field that is not supported", (status, json.loads(body)["message"]),
                     (400, "field label not supported: spec.color"))
        checks.equal("one object", get_json(api, "/api/v1/namespaces/den/services/l")["kind"],
                     "Service")
        status, _, body = get(api, "/api/v1/namespaces/den/services/nobody")
        checks.equal("an object that is not there", (status, json.loads(body)["message"]),
                     (404, 'services "nobody" not found'))
        with Watcher(api, f"{SERVICES}?watch=1&labelSelector=tier&resourceVersion="
                          f"{api.version()}") as watch:
            api.put({**web("a"), "metadata": {"name": "a", "namespace": "shop",
                                              "labels": {"tier": "x"}}})
            checks.equal("an object that enters the selection", watch.next(), ("ADDED", "a"))
            api.put(web("b"))
            api.put(web("a"))
            checks.equal("one that leaves it", watch.next(), ("DELETED", "a"))


def watches():
    with ApiServer() as api:
        api.load(objects=[web("a"), web("b")])
        start = api.version()
        with Watcher(api, f"{SERVICES}?watch=true&{STREAM}") as watch:
            checks.equal("a streaming list", [watch.next() for _ in range(3)],
                         [("ADDED", "a"), ("ADDED", "b"), ("BOOKMARK", str(start))])
            api.put(web("c"))
            api.put(web("a", type="NodePort"))
            api.delete(kind="services", name="b", namespace="shop")
            checks.equal("what follows", [watch.next() for _ in range(3)],
                         [("ADDED", "c"), ("MODIFIED", "a"), ("DELETED", "b")])
            api.bookmark()
            checks.equal("a bookmark on demand", watch.next(), ("BOOKMARK", str(api.version())))
            api.emit(kind="Service", line='{"type":"SURPRISE","object":{"metadata":{"name":"s"}}}')
            checks.equal("any line on demand", watch.next(), ("SURPRISE", "s"))
            api.emit_error(kind="Service", code=410, message="gone", reason="Expired")
            checks.equal("an ERROR event", watch.next(), ("ERROR", 410, "gone"))
            checks.equal("after which the watch ends", watch.next(), None)
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={start}") as watch:
            checks.equal("a watch resumes where it is told to",
                         [watch.next() for _ in range(3)],
                         [("ADDED", "c"), ("MODIFIED", "a"), ("DELETED", "b")])
            api.put(web("s"), silent=True)
            api.put(web("t"))
            checks.equal("a silent change is not told", watch.next(), ("ADDED", "t"))
        with Watcher(api, f"{SERVICES}?watch=1") as watch:
            checks.equal("a watch without version starts with all there is",
                         [watch.next() for _ in range(4)],
                         [("ADDED", "a"), ("ADDED", "c"), ("ADDED", "s"), ("ADDED", "t")])
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={api.version() + 1}") as watch:
            api.put(web("t"))
            api.put(web("u"))
            checks.equal("a watch from a version to come", watch.next(), ("ADDED", "u"))
        api.compact()
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={start}") as watch:
            checks.equal("a version that is compacted away", (watch.status, watch.next()),
                         (200, ("ERROR", 410, f"too old resource version: {start} "
                                              f"({api.version()})")))
            checks.equal("ends the watch", watch.next(), None)
        query = f"watch=1&timeoutSeconds=1&allowWatchBookmarks=1&resourceVersion={api.version()}"
        with Watcher(api, f"{SERVICES}?{query}") as watch:
            checks.equal("at its timeout a watch ends with a bookmark",
                         (watch.next(), watch.next()), (("BOOKMARK", str(api.version())), None))
        with Watcher(api, f"{SERVICES}?{query}") as watch:
            api.wait_for_watches("services")
            checks.equal("one watch is frozen", api.freeze(kind="services"), 1)
            api.put(web("unheard"))
            watch.connection.sock.settimeout(1 + QUIET)
            try:
                heard = watch.next()
            except TimeoutError:
                heard = "nothing"
            checks.equal("and is silent beyond its timeout", heard, "nothing")
        api.set(watch_list=False)
        status, _, body = get(api, f"{SERVICES}?watch=1&{STREAM}")
        checks.equal("a streaming list without the feature",
                     (status, json.loads(body)["reason"]), (422, "Invalid"))
        status, _, _ = get(api, f"{SERVICES}?watch=1&resourceVersionMatch=NotOlderThan")
        checks.equal("resourceVersionMatch in a plain watch", status, 422)


def bookmarks_in_turn():
    with ApiServer(bookmark_every_s=0.05) as api:
        api.put(web())
        query = f"watch=1&allowWatchBookmarks=true&resourceVersion={api.version()}"
        with Watcher(api, f"{SERVICES}?{query}") as watch:
            checks.equal("bookmarks come by themselves", (watch.next(), watch.next()),
                         (("BOOKMARK", "2"), ("BOOKMARK", "2")))
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={api.version()}") as watch:
            time.sleep(QUIET)
            api.put(web("next"))
            checks.equal("not to a client that did not ask for them", watch.next(),
                         ("ADDED", "next"))


def discovery():
    with ApiServer() as api:
        checks.equal("the groups", [group["name"] for group in get_json(api, "/apis")["groups"]],
                     ["discovery.k8s.io"])
        kinds = {kind["name"]: kind["kind"] for path in ("/api/v1", "/apis/discovery.k8s.io/v1")
                 for kind in get_json(api, path)["resources"]}
        checks.equal("their resources", kinds, {
            "services": "Service", "namespaces": "Namespace", "pods": "Pod", "nodes": "Node",
            "endpointslices": "EndpointSlice"})


def compression():
    with ApiServer() as api:
        api.load(objects=[web(f"web-{n}") for n in range(300)])
        plain = get(api, SERVICES)[2]
        checks.less("a large list", 128 << 10, len(plain))
        _, headers, body = get(api, SERVICES, Accept_Encoding="gzip")
        checks.equal("is compressed on demand", headers.get("Content-Encoding"), "gzip")
        checks.equal("and holds the same", zlib.decompress(body, 31), plain)
        checks.less("and is smaller", len(body), len(plain) / 4)
        _, headers, _ = get(api, f"{SERVICES}?limit=10", Accept_Encoding="gzip")
        checks.equal("a small list is not", headers.get("Content-Encoding"), None)
        with connect(api) as connection:
            connection.sendall(request_text(f"{SERVICES}?watch=1&{STREAM}", Accept_Encoding="gzip"))
            checks.lacks("a watch never is", connection.recv(1 << 12).decode(), "Content-Encoding")
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        listed = get_json(api, f"{SERVICES}?limit=1", Accept=accept)
        checks.equal("metadata alone", (listed["kind"], sorted(listed["items"][0])),
                     ("PartialObjectMetadataList", ["apiVersion", "kind", "metadata"]))


def resident_kib(process):
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0])


def many_objects():
    with ApiServer() as api:
        count = api.load_cluster(services=100_000, slices=False, namespaces=50, nodes=0)
        checks.equal("a cluster is loaded", count, 100_050)
        before = resident_kib(api.process)
        start = time.monotonic()
        with connect(api) as connection:
            connection.sendall(request_text(SERVICES, Connection="close"))
            size = 0
            while piece := connection.recv(1 << 20):
                size += len(piece)
        seconds = time.monotonic() - start
        print(f"  100 000 Services: {size / 1e6:.0f} MB in {seconds:.2f} s, "
              f"{size / 1e6 / seconds:.0f} MB/s, {100_000 / seconds:.0f} objects/s")
        checks.less("100 000 objects are listed in seconds", seconds, 10)
        checks.less("their text is never held whole (KiB)", resident_kib(api.process) - before,
                    size / 1024 / 4)


def clusters():
    shape = cluster.Cluster(services=20, endpoints=2, headless=0.25, pods=True)
    things = list(shape.objects())
    checks.equal("a cluster is the same each time", list(shape.objects()), things)
    checks.equal("a quarter is headless", sum(
        one["kind"] == "Service" and one["spec"]["clusterIP"] == "None" for one in things), 5)
    uids = [one["metadata"]["uid"] for one in things if "uid" in one["metadata"]]
    checks.equal("every uid is its own", len(set(uids)), 20 + 20 + 40)
    asked = cluster.questions(things)
    checks.contains("questions about a ClusterIP", asked, ("svc-0.ns-0.svc.cluster.local", "A"))
    checks.contains("about a headless endpoint", asked,
                    ("svc-3-1.svc-3.ns-3.svc.cluster.local", "A"))
    checks.contains("about an address", asked, ("0.1.96.10.in-addr.arpa", "PTR"))
    with Folder() as folder:
        cluster.write_manifests(folder.path, things)
        checks.equal("manifests", sorted(path.name for path in folder.path.iterdir()),
                     ["endpointslice.yaml", "namespace.yaml", "node.yaml", "pod.yaml",
                      "service.yaml"])


pages()
selectors()
watches()
bookmarks_in_turn()
discovery()
compression()
many_objects()
clusters()
checks.finish()
