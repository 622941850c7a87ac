#!/usr/bin/env python3
"""Configuration, flags, start and stop of waypost-dns and waypost, from the outside."""

import json
import re
import signal
import socket
import subprocess

from harness import DNS_PROGRAM, SHOP, TOOL_PROGRAM, Checks, Folder, Server, message_of, run

checks = Checks()


def version_and_help():
    for program, name in ((DNS_PROGRAM, "waypost-dns"), (TOOL_PROGRAM, "waypost")):
        code, out, err = run(program, "--version")
        checks.equal(f"{name} --version exits with", code, 0)
        checks.matches(f"{name} --version prints", out, rf"\A{name} \d+\.\d+\.\d+\n\Z")
        checks.equal(f"{name} --version on stderr", err, "")
        code, out, err = run(program, "--help")
        checks.equal(f"{name} --help exits with", code, 0)
        checks.contains(f"{name} --help prints", out, f"Usage: {name}")
        checks.equal(f"{name} --help on stderr", err, "")


def mistakes_on_the_command_line():
    for arguments, message in (
            (["--negativ-ttl", "5"], "expected perhaps '--negative-ttl'"),
            (["--ttl", "x"], "--ttl: found 'x', expected a whole number of seconds from 0 to 3600"),
            (["--ttl"], "--ttl: found no value"),
            (["--config", "/nonexistent/waypost.yaml"], "/nonexistent/waypost.yaml"),
            ([], "say where objects come from: --manifests FOLDER, --kubeconfig FILE or --api-server URL"),
            (["extra"], "found the argument 'extra'")):
        code, out, err = run(DNS_PROGRAM, *arguments)
        checks.equal(f"waypost-dns {' '.join(arguments)} exits with", code, 1)
        checks.contains(f"waypost-dns {' '.join(arguments)} says", err, message)
        checks.equal(f"waypost-dns {' '.join(arguments)} on stdout", out, "")


def check_config():
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        good = folder.write("good.yaml", "manifests: manifests\nttl: 30\n")
        code, out, err = run(TOOL_PROGRAM, "check-config", good)
        checks.equal("check-config of a good file exits with", code, 0)
        checks.equal("its first line", out.splitlines()[0], f"{good}: ok")
        checks.contains("it shows a value from the file", out, "  ttl: 30\n")
        checks.contains("it shows a default", out, "  udpSize: 1232\n")
        checks.contains("it shows a derived default", out, "  negativeTtl: 5 (")
        checks.equal("nothing on stderr", err, "")
        _, out, _ = run(TOOL_PROGRAM, "check-config", good, "--ttl", "60")
        checks.contains("a flag wins over the file", out, "  ttl: 60\n")

        bad = folder.write("bad.yaml", "manifests: manifests\nttl: 3601\nnegativTtl: 5\nlisten: a\n")
        code, out, err = run(TOOL_PROGRAM, "check-config", bad)
        checks.equal("check-config of a bad file exits with", code, 1)
        checks.equal("all its problems", err.splitlines(), [
            f"{bad}:2: ttl: found '3601', expected a whole number of seconds from 0 to 3600",
            f"{bad}:3: negativTtl: found an unknown key, expected perhaps 'negativeTtl'",
            f"{bad}:4: listen: found the single value 'a', expected a list of ADDRESS:PORT such as "
            "127.0.0.1:53 or [::1]:53"])
        checks.lacks("no word of success", out, "ok")
        code, _, server_err = run(DNS_PROGRAM, "--config", bad)
        checks.equal("waypost-dns with that file exits with", code, 1)
        checks.equal("waypost-dns says the same", server_err,
                     "".join(f"waypost-dns: {line}\n" for line in err.splitlines()))


def what_a_start_prints():
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        config = folder.write("waypost.yaml", "manifests: manifests\nlisten: ['127.0.0.1:0']\n")
        with Server(config=config, listen=()) as server:
            out = "\n".join(server.out)
            checks.equal("the last line of a start", server.out[-1], "ready")
            checks.matches("the line of counts", out, r"^1 services, 0 endpoints, \d+ namespaces, 0 pods, \d+ static zones$")
            checks.less("port 0 became a real port", 0, server.port)
            examples = [line.split() for line in server.out if line.startswith("  dig ")]
            checks.equal("examples of A, SRV and PTR", [words[4:] for words in examples], [
                ["web.shop.svc.cluster.local", "A"],
                ["_http._tcp.web.shop.svc.cluster.local", "SRV"],
                ["-x", "10.96.0.7"]])
            for words in examples:
                code, answer, _ = run(words[0], *words[1:], "+short", "+tries=1", "+time=2")
                checks.equal(f"{' '.join(words)} exits with", code, 0)
                checks.matches(f"{' '.join(words)} has an answer", answer, r"^[^;\s]")


def examples_are_true_under_filters():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        with Server("--manifests", folder.path, "--namespaces", "other") as server:
            checks.lacks("a Service that is filtered out is no example", "\n".join(server.out), "dig ")
        with Server("--manifests", folder.path, "--reverse-zones", "") as server:
            checks.lacks("no PTR example without reverse zones", "\n".join(server.out), " -x ")


def stopping():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        for number in (signal.SIGINT, signal.SIGTERM):
            with Server("--manifests", folder.path) as server:
                server.dig("web.shop.svc.cluster.local")
                server.dig("absent.shop.svc.cluster.local", "A", "+tcp")
                code = server.stop(number)
                checks.equal(f"the exit code after {number.name}", code, 0)
                checks.matches("the closing line", server.out[-1],
                               r"^stopped: 2 queries \(1 udp, 1 tcp\), 1 NOERROR, 1 NXDOMAIN, 0 dropped")


def the_log_as_json():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        config = folder.write("etc/waypost.yaml", "logFormat: json\n")
        with Server("--manifests", folder.path, config=config) as server:
            server.send_signal(signal.SIGHUP)
            server.wait_for_log("manifests read again")
            lines = [json.loads(line) for line in server.log]
            checks.contains("the message of the first line", lines[0]["message"], "SIGHUP")
            lines += [json.loads(line) for line in server.out]
            checks.equal("what every line has, those on stdout among them", {tuple(sorted(line)) for line in lines},
                         {("level", "message", "time")})
            config.write_text("logFormat: text\n")
            checks.matches("the log as text again",
                           "\n".join(server.wait_for_log("now in force: logFormat")),
                           r"^\d{4}-\d\d-\d\dT[0-9:.]+Z info ")
        config.write_text("logFormat: json\n")
        with Server("--manifests", folder.path, config=config) as server:
            checks.equal("the exit code with a log as JSON", server.stop(), 0)
            last = json.loads(server.out[-1])
            checks.equal("the level of the closing line", last["level"], "info")
            checks.matches("the closing line as JSON", last["message"], r"^stopped: 0 queries")


def what_ends_a_start_as_json():
    """A configuration that is refused, by flags or file, and what fails after it was read."""
    with Folder() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        corefile = folder.write("Corefile", ".:53 {\n    dns64\n    bogus\n}\n")
        in_file = folder.write("json.yaml", "logFormat: json\nttl: 9999\npodz: none\n")
        broken = folder.write("broken.yaml", "ttl: [\n")
        as_json = ("--log-format", "json")
        for what, arguments, message in (
                ("a Corefile", ("-conf", corefile, *as_json), f"{corefile}:2: dns64: not offered here"),
                ("a Corefile's second problem", ("-conf", corefile, *as_json), f"{corefile}:3: bogus"),
                ("a file that is absent", ("-conf", folder / "none", *as_json), "no such file"),
                ("a file that says so itself", ("--config", in_file), f"{in_file}:2: ttl: found '9999'"),
                ("a file that cannot be read", ("--config", broken, *as_json), f"{broken}:"),
                ("a port in use", ("--manifests", folder.path, "--listen", f"127.0.0.1:{taken.getsockname()[1]}",
                                   *as_json), "in use")):
            code, out, err = run(DNS_PROGRAM, *arguments)
            lines = [json.loads(line) for line in err.splitlines()]
            checks.equal(f"{what}: exit code, and levels", (code, {line["level"] for line in lines}), (1, {"error"}))
            checks.contains(f"{what}: the message", "\n".join(line["message"] for line in lines).lower(), message.lower())
            checks.lacks(f"{what}: nothing is ready", list(map(message_of, out.splitlines())), "ready")
        code, _, err = run(DNS_PROGRAM, "--config", in_file, "--log-format", "text")
        checks.contains("a flag wins over the file", err, f"waypost-dns: {in_file}:2: ttl: found '9999'")


def nobody_can_fill_the_log():
    """Of what one place of the program says, a hundred lines are written at once."""
    with Folder() as folder:
        for number in range(250):
            folder.write(f"bad-{number:03}.yaml", "kind: Service\n")
        with Server("--manifests", folder.path, "--metrics-listen", "127.0.0.1:0") as server:
            server.wait_for_log("more lines like the last one are left out")
            checks.equal("problems in the log", len(server.wait_for_log("bad-", timeout=0)), 100)
            checks.equal("and that there are more", len(server.wait_for_log("left out, but for one every 5 s", timeout=0)), 1)
            checks.contains("counted", server.metrics(), "\nwaypost_log_lines_left_out_total 150\n")


def nobody_reads_its_output():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        process = subprocess.Popen([str(DNS_PROGRAM), "--manifests", str(folder.path), "--listen",
                                    "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        while process.stdout.readline() not in ("ready\n", ""):
            pass
        process.stdout.close()
        process.stderr.close()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "killed after 10 s"
        checks.equal("the exit code when nobody reads stdout and stderr", code, 0)


def a_port_in_use():
    with Folder() as folder, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = run(DNS_PROGRAM, "--manifests", folder.path, "--listen", address)
        checks.equal("the exit code when the port is in use", code, 1)
        checks.contains("the message names the address", err, address)
        checks.contains("the message says why", err.lower(), "in use")
        checks.lacks("nothing is ready", out, "ready")


def values_reach_the_answers():
    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        folder.write("zones/example.org.zone",
                     "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
        config = folder.write("waypost.yaml", """\
manifests: manifests
staticZones: [zones]
clusterDomain: cluster.example
ttl: 30
nsid: node-1
chaosVersion: testing
builtInZones: false
""")
        with Server("--ttl", "40", config=config) as server:
            answer = server.dig("web.shop.svc.cluster.example")
            checks.equal("clusterDomain, and the flag's ttl over the file's", answer.answer,
                         ["web.shop.svc.cluster.example. 40 IN A 10.96.0.7"])
            answer = server.dig("ns.example.org")
            checks.equal("a static zone", answer.answer, ["ns.example.org. 60 IN A 192.0.2.1"])
            answer = server.dig("localhost")
            checks.equal("builtInZones: false", answer.status, "REFUSED")
            answer = server.dig("version.bind", "TXT", "-c", "CH")
            checks.equal("chaosVersion", answer.values(), ['"testing"'])
            answer = server.dig("web.shop.svc.cluster.example", "A", "+nsid")
            checks.contains("nsid", answer.text, '("node-1")')
            answer = server.dig("cluster.example", "AXFR")
            checks.contains("no transfer for anybody by default", answer.text, "Transfer failed")
        with Server("--transfer-allow", "127.0.0.0/8", config=config) as server:
            answer = server.dig("cluster.example", "AXFR")
            checks.contains("transferAllow", answer.text, "10.96.0.7")
        with Server(config=config, listen=("127.0.0.1:0", "[::1]:0")) as server:
            checks.equal("listening on both families", [a for a, _ in server.addresses],
                         ["127.0.0.1", "::1"])
            address, port = server.addresses[1]
            answer = server.dig("web.shop.svc.cluster.example", address=address, port=port)
            checks.equal("an answer over IPv6", answer.values(), ["10.96.0.7"])


def a_buffer_that_the_kernel_cuts():
    with Folder() as folder:
        folder.write("shop.yaml", SHOP)
        # One octet more than any socket can have, whatever the machine's limits are.
        with Server("--manifests", folder.path, "--receive-buffer", "1073741824") as server:
            told = server.wait_for_log("receiveBuffer: 1073741824 octets were asked for, and the kernel grants ")
            checks.equal("what the kernel granted is told once", len(told), 1)
        with Server("--manifests", folder.path, "--receive-buffer", "65536") as server:
            checks.lacks("nothing is told of a buffer that was granted", "\n".join(server.log), "receiveBuffer")


def a_shared_cookie_secret():
    """Replicas with one secret make the same server cookies (RFC 9018, 4)."""
    def cookie(server):
        found = re.search(r"; COOKIE: ([0-9a-f]{48}) \(good\)",
                          server.dig("localhost", "A", "+cookie=0011223344556677").text)
        return found.group(1) if found else None

    with Folder() as folder:
        folder.write("manifests/shop.yaml", SHOP)
        secret = folder.write("secret", "000102030405060708090a0b0c0d0e0f\n")
        shared = ("--manifests", folder / "manifests", "--cookie-secret-file", secret)
        with Server(*shared) as first, Server(*shared) as second, Server(*shared[:2]) as other:
            # A cookie holds the second that it was made in: ask until all three fall into one.
            for _ in range(20):
                cookies = [cookie(server) for server in (first, second, other)]
                if None in cookies or len({text[16:32] for text in cookies}) == 1:
                    break
            checks.equal("one secret, one cookie", cookies[0], cookies[1])
            checks.lacks("no secret, another cookie", cookies[:2], cookies[2])
        with Server(*shared, "--cookies=false") as server:
            checks.lacks("no cookie when they are off",
                         server.dig("localhost", "A", "+cookie").text, "(good)")
        for text in ("short", "zz0102030405060708090a0b0c0d0e0f"):
            secret.write_text(text)
            code, _, err = run(DNS_PROGRAM, *shared)
            checks.equal(f"the exit code for the secret {text!r}", code, 1)
            checks.contains("the message says what a secret is", err, "32 hex digits")


version_and_help()
mistakes_on_the_command_line()
check_config()
what_a_start_prints()
examples_are_true_under_filters()
stopping()
the_log_as_json()
what_ends_a_start_as_json()
nobody_can_fill_the_log()
nobody_reads_its_output()
a_port_in_use()
values_reach_the_answers()
a_buffer_that_the_kernel_cuts()
a_shared_cookie_secret()
checks.finish()
