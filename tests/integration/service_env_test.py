#!/usr/bin/env python3
"""`waypost env`: the variables of Services, from a folder and from an API server, in each format; and `waypost inject`,
which writes them, and resolver settings, into manifests."""

import json
import subprocess

from api_scenarios import cluster
from api_server import ApiServer
from harness import ROOT, TOOL_PROGRAM, Checks, Folder, service

checks = Checks()

KUBERNETES = service("kubernetes", "10.96.0.1", "default").replace("port: 80", "port: 443").replace("http", "https")


def tool(*arguments):
    done = subprocess.run([str(TOOL_PROGRAM), "env", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def variables(*arguments):
    code, out, err = tool("--format", "json", *arguments)
    checks.equal(f"env {' '.join(map(str, arguments[:2]))} works", (code, err), (0, ""))
    return json.loads(out or "{}")


def hosts(found):
    return {name: value for name, value in found.items() if name.endswith("_SERVICE_HOST")}


def from_a_folder(folder):
    folder.write("shop.yaml", service("web", "10.96.0.7") + "---\n" + service("web", "10.96.0.8", "other"))
    folder.write("kubernetes.yaml", KUBERNETES)
    source = ("--manifests", folder.path)
    checks.equal("the namespace's own and default/kubernetes", hosts(variables("--namespace", "shop", *source)),
                 {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "WEB_SERVICE_HOST": "10.96.0.7"})
    checks.equal("without links", hosts(variables("--service-links=false", "--namespace", "shop", *source)),
                 {"KUBERNETES_SERVICE_HOST": "10.96.0.1"})

    code, out, _ = tool("--namespace", "shop", *source)
    shell = subprocess.run(["sh", "-c", out + 'echo "$WEB_SERVICE_HOST $WEB_PORT $KUBERNETES_SERVICE_PORT_HTTPS"'],
                           capture_output=True, text=True, timeout=20, check=False)
    checks.equal("a shell reads it", (code, shell.stdout), (0, "10.96.0.7 tcp://10.96.0.7:80 443\n"))
    _, out, _ = tool("--namespace", "shop", "--format", "dotenv", *source)
    checks.equal("and as lines", dict(line.split("=", 1) for line in out.splitlines()),
                 variables("--namespace", "shop", *source))

    folder.write("digit.yaml", service("1st", "10.96.0.9"))
    folder.write("broken.yaml", service("bad", "10.96.0").replace("port: 80", "port: 0"))
    code, out, err = tool("--namespace", "shop", *source)
    checks.equal("a bad object and a name that no shell has hold nothing back",
                 (code, "WEB_SERVICE_HOST" in out, "1ST" in out), (0, True, False))
    checks.contains("the object is told", err, "warning: ")
    checks.contains("with its field", err, "Service shop/bad: ")
    checks.contains("the variable is told", err, "warning: 1ST_SERVICE_HOST is left out: no shell has it")


def from_an_api_server():
    with ApiServer() as api:
        ports = [cluster.port(80, "http")]
        api.load(objects=[
            *(cluster.service(f"s{number}", "shop", f"10.97.{number // 250}.{number % 250 + 1}", ports)
              for number in range(700)),  # Two pages.
            cluster.service("kubernetes", "default", "10.96.0.1", ports),
            cluster.service("unseen", "default", "10.96.0.2", ports)])
        found = hosts(variables("--namespace", "shop", "--api-server", api.url))
        checks.equal("all of the namespace, page by page", len(found), 701)
        checks.equal("and default/kubernetes", found.get("KUBERNETES_SERVICE_HOST"), "10.96.0.1")
        checks.equal("and nothing else of default", "UNSEEN_SERVICE_HOST" in found, False)
        asked = {one["path"] for one in api.requests()}
        checks.equal("only these namespaces are asked for", {path for path in asked if "services" in path},
                     {"/api/v1/namespaces/shop/services", "/api/v1/namespaces/default/services"})
    code, _, err = tool("--api-server", "http://127.0.0.1:1")
    checks.equal("nobody there", code, 1)
    checks.contains("is said", err, "127.0.0.1:1")


def refusals():
    for arguments, message in ((("--format", "yaml"), "--format: found 'yaml', expected shell, dotenv or json"),
                               (("--context", "a"), "--context: expected --kubeconfig FILE as well"),
                               (("--manifests", "/nonexistent"), "/nonexistent: No such file or directory"),
                               (("--manifests", "/", "--kubeconfig", "a"),
                                "--kubeconfig: cannot be given with --manifests")):
        code, out, err = tool(*arguments)
        checks.equal(f"env {' '.join(arguments)}", (code, out, err), (1, "", message + "\n"))


def injected(folder):
    folder.write("shop.yaml", service("web", "10.96.0.7"))
    folder.write("kubernetes.yaml", KUBERNETES)
    manifest = (ROOT / "tests/data/node/shop.yaml").read_text()
    others = "# Nothing here.\nkind:  Service\napiVersion: v1\n"

    def inject(stdin, *arguments):
        done = subprocess.run([str(TOOL_PROGRAM), "inject", *map(str, arguments)], capture_output=True, text=True,
                              input=stdin, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    code, out, err = inject(others + "---\n" + manifest, "--search", "corp.example")
    checks.equal("a manifest is changed", (code, err, out.startswith(others + "---\n# A Deployment")), (0, "", True))
    checks.equal("a second time changes nothing", inject(out, "--search", "corp.example"), (0, out, ""))
    before, after = (subprocess.run(
        [str(TOOL_PROGRAM), "resolv-conf", "--pod", "-", "--host-file", folder.write("host.conf", "search corp.example\n"),
         "--cluster-dns", "169.254.20.10"], capture_output=True, text=True, input=text, timeout=20, check=False).stdout
                     for text in (manifest, out))
    checks.equal("the Pod's resolver file stays as it was", (after, before.count("\n")), (before, 3))

    code, out, err = inject(manifest, "--dns=false", "--env", "--manifests", folder.path)
    checks.equal("variables are written", (code, err, "dnsPolicy" in out), (0, "", False))
    checks.contains("of the Pod's namespace", out, '- name: WEB_SERVICE_HOST\n          value: "10.96.0.7"\n')
    checks.contains("and default/kubernetes", out, "- name: KUBERNETES_SERVICE_PORT_HTTPS\n")
    checks.equal("once", inject(out, "--dns=false", "--env", "--manifests", folder.path), (0, out, ""))
    folder.write("both.yaml", service("web-port-80-tcp", "10.96.0.8"))
    _, _, err = inject(manifest, "--dns=false", "--env", "--manifests", folder.path)
    checks.equal("two Services that make one variable are told once", err,
                 "warning: WEB_PORT_80_TCP_PORT is made by the Services web and web-port-80-tcp; a kubelet may choose "
                 "either\n")
    checks.equal("nothing to write", inject(manifest, "--dns=false"),
                 (1, "", "--dns: found 'false', expected --env then\n"))
    code, out, err = inject("apiVersion: v1\nkind: Pod\nspec: {dnsPolicy: Any}\n")
    checks.equal("a bad Pod", (code, out), (1, ""))
    checks.contains("is told where it is", err, "standard input: document 1, which begins at line 1: line 3: Pod without "
                    "a name: dnsPolicy: 'Any' is not ")


with Folder() as scratch:
    from_a_folder(scratch)
with Folder() as scratch:
    injected(scratch)
from_an_api_server()
refusals()
checks.finish()
