#!/usr/bin/env python3
"""The test API server breaks the protocol on demand: octets, connections, certificates, refusals."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
import time

from api_client import (QUIET, ROOT, SERVICES, SLICES, STREAM, TIMEOUT, Watcher, ask, connect, get,
                        get_json, names, receive, request_text, web)
from api_server import ApiServer
from apiserver.certificates import Authority
from harness import Checks, Folder

checks = Checks()


def cut_responses():
    with ApiServer() as api:
        api.load(objects=[web(f"web-{n}") for n in range(30)])
        whole, _ = ask(api, SERVICES, Connection="close")
        size = len(whole)
        for at in (1, 100, 400, 2000, size - 1):
            for action, ending in (("reset_after", "reset"), ("close_after", "end"),
                                   ("stall_after", "silence")):
                number = api.fault(resource="services", **{action: at})
                got, end = ask(api, SERVICES, QUIET if ending == "silence" else TIMEOUT,
                               Connection="close")
                checks.equal(f"{action} {at}", (len(got), end), (at, ending))
                api.clear_fault(number=number)
        api.fault(verb="watch", reset_after=500, times=1)
        got, end = ask(api, f"{SERVICES}?watch=1&{STREAM}")
        checks.equal("a watch is reset", (len(got), end), (500, "reset"))
        with connect(api) as connection:
            connection.sendall(request_text(f"{SERVICES}?watch=1&timeoutSeconds=1"))
            checks.equal("the next one is not", receive(connection, 1.5)[1], "silence")
            connection.sendall(request_text("/version", Connection="close"))
            checks.contains("its connection serves on", receive(connection)[0].decode(), "v1.36.2")


def shaped_responses():
    with ApiServer() as api:
        api.load(objects=[web("web", externalName="größe-☃-𝛑")])
        plain = get(api, SERVICES)[2]
        checks.contains("UTF-8 is sent as it is", plain.decode(), "größe-☃-𝛑")
        api.fault(verb="list", chunks=[1])
        checks.equal("chunks of one octet hold the same", get(api, SERVICES)[2], plain)
        got, _ = ask(api, SERVICES, Connection="close")
        checks.contains("and do part a character", got.partition(b"\r\n\r\n")[2],
                        b"1\r\n\xe2\r\n1\r\n\x98\r\n1\r\n\x83\r\n")
        api.clear_faults()
        api.fault(verb="list", slow_bytes=200, slow_ms=10)
        start = time.monotonic()
        checks.equal("a slow response holds the same", get(api, SERVICES)[2], plain)
        slowest = len(plain) / 200 * 0.010
        checks.less("and is slow", slowest, time.monotonic() - start)
        api.clear_faults()
        api.fault(delay_ms=100, times=1)
        start = time.monotonic()
        get(api, "/version")
        checks.less("a delay", 0.1, time.monotonic() - start)
        api.fault(verb="list", skip=1, times=1, truncate_body=100)
        bodies = [len(get(api, SERVICES)[2]) for _ in range(3)]
        checks.equal("the second list is truncated", bodies, [len(plain), 100, len(plain)])
        api.fault(garbage=True, times=2)
        for path in (SERVICES, f"{SERVICES}?watch=1&{STREAM}"):
            with connect(api) as connection:
                connection.sendall(request_text(path))
                got, _ = receive(connection, QUIET)
                checks.contains(f"garbage at {path[:25]}", got.decode(),
                                '"kind":]]}' if "watch" in path else '"items":[{]]}')
        checks.equal("no fault is left", get(api, SERVICES)[2], plain)


def refusals():
    with ApiServer() as api:
        api.load(objects=[web()])
        for code, headers in ((429, {"Retry-After": "7"}), (500, {}), (503, {}), (410, {})):
            number = api.fault(resource="services", status=code, retry_after=7)
            status, got, _ = get(api, SERVICES)
            checks.equal(f"{code} on demand", status, code)
            checks.equal(f"{code} with", got.get("Retry-After"), headers.get("Retry-After", "7"))
            checks.equal(f"{code} only there", get(api, SLICES)[0], 200)
            checks.equal(f"{code} is counted", api.fault_hits(number=number), 1)
            api.clear_faults()
        api.fault(verb="list", query={"continue": "*"}, expired=True)
        api.put(web("web-2"))
        token = get_json(api, f"{SERVICES}?limit=1")["metadata"]["continue"]
        checks.equal("an expired token on demand",
                     get(api, f"{SERVICES}?limit=1&continue={token}")[0], 410)
        api.clear_faults()
        api.set(tokens=["one"])
        tokens = {"one": "Bearer one", "two": "Bearer two"}
        answers = [get(api, SERVICES, Authorization=value)[0] for value in tokens.values()]
        checks.equal("the token that is accepted", answers, [200, 401])
        api.set(tokens=["two"])
        answers = [get(api, SERVICES, Authorization=value)[0] for value in tokens.values()]
        checks.equal("after its rotation", answers, [401, 200])
        checks.equal("without a token", get(api, SERVICES)[0], 401)
        api.set(tokens=None)
        api.deny(verb="watch", resource="services")
        codes = [get(api, f"{SERVICES}?{query}")[0] for query in ("limit=1", "watch=1")]
        checks.equal("lists are allowed, watches are not", codes, [200, 403])
        api.allow_all()
        checks.equal("protobuf is not spoken",
                     get(api, SERVICES, Accept="application/vnd.kubernetes.protobuf")[0], 406)
        checks.equal("readyz", get(api, "/readyz")[2], b"ok")
        api.set(unready=True)
        checks.equal("readyz when it is not", get(api, "/readyz")[0], 500)
        checks.equal("a path that is not there", get(api, "/apis/apps/v1/deployments")[0], 404)
        try:
            api.fault(resett_after=3)
            said = "nothing"
        except ValueError as wrong:
            said = str(wrong)
        checks.contains("a misspelt fault is refused", said, "a fault has no resett_after")


def connections():
    with ApiServer() as api:
        api.load(objects=[web()])
        kept = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        for _ in range(3):
            get(api, SERVICES, connection=kept, User_Agent="kept/1")
        kept.close()
        api.fault(close=True, times=1)
        checks.equal("Connection: close on demand", get(api, SERVICES)[1].get("Connection"), "close")
        seen = api.requests(resource="services", verb="list", clear=True)
        checks.equal("one connection carried", len({one["connection"] for one in seen[:3]}), 1)
        checks.equal("a record of a request", [seen[0][key] for key in (
            "path", "user_agent", "status", "token", "end")],
            [SERVICES, "kept/1", 200, None, "complete"])
        checks.equal("records are cleared", api.requests(), [])
        port = api.port
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={api.version()}") as watch:
            api.wait_for_watches("services")
            api.down()
            try:
                said = watch.next()
            except ConnectionResetError:
                said = "reset"
            checks.equal("a server that goes down resets", said, "reset")
        try:
            connect(api)
            said = "accepted"
        except ConnectionRefusedError:
            said = "refused"
        checks.equal("then it is not there", said, "refused")
        api.put(web("meanwhile"))
        api.up()
        checks.equal("it comes back at its port", api.port, port)
        checks.equal("with its objects", names(get_json(api, SERVICES)), ["meanwhile", "web"])
        with Watcher(api, f"{SERVICES}?watch=1&resourceVersion={api.version()}") as watch:
            api.wait_for_watches("services")
            api.drop_connections(gently=True)
            checks.equal("a gentle end is one", watch.next(), None)
    with Folder() as folder:
        with ApiServer(listen=("127.0.0.1", "::1"), unix=folder / "api.sock") as api:
            six = http.client.HTTPConnection("::1", int(api.urls[1].rpartition(":")[2]))
            checks.equal("IPv6", get(api, "/readyz", connection=six)[2], b"ok")
            checks.matches("its URL", api.urls[1], r"^http://\[::1\]:\d+$")
            with socket.socket(socket.AF_UNIX) as local:
                local.connect(str(folder / "api.sock"))
                local.sendall(request_text("/readyz", Connection="close"))
                checks.contains("a unix socket", receive(local)[0].decode(), "\r\n\r\nok")


def handshake(api, authority, host="127.0.0.1", client=None):
    """What TLS says, or the status of /readyz."""
    context = ssl.create_default_context(cafile=authority.certificate)
    if client:
        context.load_cert_chain(*client)
    try:
        with context.wrap_socket(connect(api), server_hostname=host) as connection:
            connection.sendall(request_text(SERVICES, Connection="close"))
            return connection.recv(1 << 16).decode().split(" ")[1]
    except ssl.SSLCertVerificationError as wrong:
        return wrong.verify_message


def swap(api, pair):
    certificate, key = pair
    api.use_certificate(certificate=certificate, key=key)


def certificates():
    with Folder() as folder:
        authority = Authority(folder / "ca")
        other = Authority(folder / "other")
        certificate, key = authority.server()
        with ApiServer(certificate=certificate, key=key, client_ca=authority.certificate) as api:
            checks.equal("TLS", handshake(api, authority), "200")
            checks.equal("under its other name", handshake(api, authority, "localhost"), "200")
            checks.contains("with a wrong authority", handshake(api, other), "certificate")
            swap(api, authority.server(["example.org"]))
            checks.contains("with a wrong name", handshake(api, authority), "IP address mismatch")
            swap(api, authority.server(expired=True))
            checks.contains("out of date", handshake(api, authority), "certificate has expired")
            swap(api, other.server())
            checks.equal("swapped", handshake(api, other), "200")
            api.set(tokens=[])
            checks.equal("without a client certificate", handshake(api, other), "401")
            checks.equal("with one", handshake(api, other, client=authority.client()), "200")
            checks.equal("it is recorded", api.requests()[-1]["client_certificate"], True)
            config = json.loads(api.kubeconfig(folder / "config", other.certificate,
                                               {"token": "t"}).read_text())
            checks.equal("a kubeconfig leads there", config["clusters"][0]["cluster"],
                         {"server": api.url, "certificate-authority": str(other.certificate)})


def by_hand():
    with Folder() as folder:
        script = folder.write("script", "\n".join([
            "# A cluster, then a refusal.", '{"do": "load_cluster", "services": 2}',
            '{"do": "fault", "resource": "services", "status": 503}', ""]))
        process = subprocess.Popen(
            [sys.executable, ROOT / "tests/support/api_server.py", "--script", script,
             "--kubeconfig", folder / "config", "--tls", folder / "ca"],
            stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(4)]
        checks.matches("it prints its address", lines[0], r"^https://127\.0\.0\.1:\d+$")
        checks.contains("it runs its script", lines[2] + lines[3], "services")
        config = json.loads((folder / "config").read_text())["clusters"][0]["cluster"]
        context = ssl.create_default_context(cafile=config["certificate-authority"])
        client = http.client.HTTPSConnection(config["server"].removeprefix("https://"),
                                             context=context, timeout=TIMEOUT)
        checks.equal("the script's fault is in force", get(None, SERVICES, connection=client)[0],
                     503)
        client.close()
        process.send_signal(signal.SIGTERM)
        checks.equal("it ends when it is told to", process.wait(timeout=TIMEOUT), 0)
        process.stdout.close()


cut_responses()
shaped_responses()
refusals()
connections()
certificates()
by_hand()
checks.finish()
