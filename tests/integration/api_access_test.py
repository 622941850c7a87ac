#!/usr/bin/env python3
"""Who waypost-dns is to an API server, whom it trusts, what it may do, and how hard it tries."""

import itertools
import time

from api_scenarios import (LISTENING, STEADY, WATCHED, WEB, Steady, check_equal_worlds, dns_server,
                           everything, from_manifests, has, shop, web)
from api_server import ApiServer
from apiserver.certificates import Authority
from harness import Checks, Folder

checks = Checks()

# A client that waits before it tries again comes back within this many seconds; the longest wait of
# an outage of a few seconds is far below the cap.
RECOVERY = 15
# How long requests are counted, in seconds, and how many a client makes at most whose waits double
# from a tenth of a second on.
OBSERVED = 3
MOST_REQUESTS = 8


_addresses = (f"10.97.3.{number}" for number in itertools.count(1))


def check_recovers(what, api, server):
    """A change made now becomes visible."""
    address = next(_addresses)
    api.put(web(address))
    seconds = server.poll(WEB, "A", has(address), timeout=RECOVERY)
    if not checks.less(f"{what}: changes are answered", RECOVERY if seconds is None else seconds,
                       RECOVERY):
        print("\n".join(server.log[-10:]))
        print("\n".join(f"{one['time']:.3f} {one['path']} {one['query']} {one['status']} "
                        f"{one['sent']} {one['end']}" for one in api.requests()[-15:]))


def certificates():
    with Folder() as folder:
        authority = Authority(folder / "ca")
        other = Authority(folder / "other", "another authority")
        trusted = folder.write("trusted.crt", authority.certificate.read_text())
        certificate, key = authority.server()
        with ApiServer(certificate=certificate, key=key) as api:
            shop(api)
            config = api.kubeconfig(folder / "config", trusted)

            def present(pair):
                api.use_certificate(certificate=pair[0], key=pair[1])
                api.drop_connections()

            with dns_server(api, kubeconfig=config) as server, Steady(server, *STEADY) as steady:
                api.wait_for_watches(*WATCHED)
                check_recovers("TLS", api, server)
                present(authority.server())
                check_recovers("a new certificate of the same authority", api, server)
                for what, pair, part in (
                        ("a certificate for another host", authority.server(["example.org"]),
                         "certificate"),
                        ("an expired certificate", authority.server(expired=True), "expired"),
                        ("a certificate of an unknown authority", other.server(), "certificate")):
                    # One that is still on its way after the last change would be taken for a new one.
                    api.wait_for_watches(*WATCHED, timeout=RECOVERY)
                    lines = len(server.log)
                    api.requests(clear=True)
                    present(pair)
                    server.wait_for(lambda: any(part in line for line in server.log[lines:]))
                    checks.contains(f"{what} is told of", "\n".join(server.log[lines:]), part)
                    checks.equal(f"{what} is shown no request", api.requests(), [])
                    present(authority.server())
                    check_recovers(f"after {what}", api, server)
                present(other.server())
                folder.replace("trusted.crt", other.certificate.read_text())
                check_recovers("a new authority in its file", api, server)
            steady.check(checks, "certificates")
        with ApiServer(certificate=certificate, key=key, client_ca=authority.certificate,
                       tokens=[]) as api:
            shop(api)
            pair = authority.client()
            config = api.kubeconfig(folder / "config", authority.certificate, {
                "client-certificate": pair[0], "client-key": pair[1]})
            with dns_server(api, kubeconfig=config) as server:
                check_recovers("a client certificate", api, server)
            checks.equal("is shown", {one["client_certificate"] for one in api.requests()}, {True})


def tokens():
    with Folder() as folder, ApiServer(tokens=["one"]) as api:
        shop(api)
        token = folder.write("token", "one\n")
        config = api.kubeconfig(folder / "config", user={"tokenFile": str(token)})
        with dns_server(api, kubeconfig=config) as server, Steady(server, *STEADY) as steady:
            api.wait_for_watches(*WATCHED)
            folder.replace("token", "two\n")
            api.set(tokens=["two"])
            api.drop_connections()
            check_recovers("a token that changes in its file first", api, server)
            api.set(tokens=["three"])
            api.drop_connections()
            told = server.wait_for_log("nauthorized")
            checks.less("a token that is refused is told of", 0, len(told))
            checks.lacks("without the token", "\n".join(server.log), "two")
            folder.replace("token", "three\n")
            check_recovers("a token that changes after it was refused", api, server)
        steady.check(checks, "tokens")


def rule_for(group, resource):
    return f'apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["list", "watch"]'


def rights():
    """A missing right is told of once, with the rule to add; what can be answered without, is."""
    for resource, options in (("namespaces", ()), ("pods", ("--pods", "verified"))):
        with ApiServer() as api:
            shop(api)
            api.deny(resource=resource)
            with dns_server(api, *options) as server:
                check_recovers(f"without the right to read {resource}", api, server)
                checks.equal(f"the rule for {resource} is told",
                             len(server.wait_for_log(rule_for("", resource))), 1)
                time.sleep(1)
                checks.equal("once", len([line for line in server.log if "forbidden" in line]), 1)
                checks.less(f"{resource} are asked for now and then only",
                            len(api.requests(resource=resource)), 4)
    with ApiServer() as api:
        shop(api)
        api.deny(resource="endpointslices")
        with dns_server(api, ready=LISTENING) as server:
            told = server.wait_for_log(rule_for("discovery.k8s.io", "endpointslices"))
            checks.equal("the rule for endpointslices is told", len(told), 1)
            answer = server.dig(STEADY[0])
            checks.equal("without them no cluster name can be answered", answer.status, "SERVFAIL")
            checks.contains("and why", answer.text, "EDE: 14")
            checks.equal("others can", server.dig("localhost").values(), ["127.0.0.1"])
    with ApiServer() as api:
        shop(api)
        api.deny(verb="watch", resource="services")
        with dns_server(api) as server:
            checks.equal("where only watching is forbidden, there is a list",
                         server.dig(STEADY[0]).values(), [STEADY[1]])
            checks.equal("and the rule", len(server.wait_for_log(rule_for("", "services"))), 1)


def retry_after():
    with ApiServer() as api:
        shop(api)
        api.fault(resource="services", status=429, retry_after=2, times=1)
        with dns_server(api) as server:
            checks.equal("after 429 all is well", server.dig(STEADY[0]).values(), [STEADY[1]])
        times = [one["time"] for one in api.requests(resource="services")[:2]]
        checks.less("Retry-After is waited for", 1.99, times[1] - times[0])
        checks.less("and not much more", times[1] - times[0], 4)


def request_rate():
    """Under failures that do not end, the waits between requests grow."""
    for what, fault in (("500", {"status": 500}), ("503", {"status": 503}),
                        ("resets", {"reset_after": 0}), ("half an answer", {"close_after": 250}),
                        ("garbage", {"garbage": True})):
        with ApiServer() as api:
            shop(api)
            api.fault(**fault)
            with dns_server(api, ready=LISTENING) as server:
                time.sleep(OBSERVED)
                count = len(api.requests(resource="services"))
                checks.less(f"{what}: requests in {OBSERVED} s", count, MOST_REQUESTS)
                checks.less(f"{what}: it is tried again", 2, count)
                checks.less(f"{what}: lines of log", len(server.log), 20)
                api.clear_faults()
                check_recovers(f"after {what}", api, server)


def storms():
    """What is cheap to ask for and ends at once is not asked for without pause."""
    for what, verb, is_streaming, fault in (
            ("watches that end at once", "watch", True, {"query": {"resourceVersion": "*"},
                                                         "close_after": 400}),
            ("watches that are always too old", "list", False, {"query": {"resourceVersion": "*"},
                                                                "expired": True}),
            ("watches that are always gone", "list", False, {"query": {"resourceVersion": "*"},
                                                             "status": 410})):
        with ApiServer(watch_list=is_streaming) as api:
            shop(api)
            api.fault(resource="services", verb="watch", **fault)
            with dns_server(api) as server, Steady(server, *STEADY) as steady:
                api.end_watches()
                api.requests(clear=True)
                time.sleep(OBSERVED)
                count = len(api.requests(resource="services", verb=verb))
                checks.less(f"{what}: requests in {OBSERVED} s", count, MOST_REQUESTS)
                api.clear_faults()
                check_recovers(f"after {what}", api, server)
            steady.check(checks, what)


def other_ways():
    with Folder() as folder:
        with ApiServer(listen=("::1",), unix=folder / "api.sock") as api:
            shop(api)
            wanted = from_manifests(api)
            for url in api.urls:
                api.url = url
                with dns_server(api) as server:
                    check_equal_worlds(checks, url[:10], everything(
                        server, [q for q in wanted if isinstance(q, tuple)]), wanted)


certificates()
tokens()
rights()
retry_after()
request_rate()
storms()
other_ways()
checks.finish()
