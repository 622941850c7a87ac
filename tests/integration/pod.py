"""The programs as container/deploy starts them: with their arguments, as their user, with their capabilities."""

import copy
import pathlib
import subprocess
import sys
import threading
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

DEPLOY = ROOT / "container" / "deploy"


def objects(path):
    """The objects of a file: an absolute path, or one in container/deploy."""
    return [thing for thing in yaml.safe_load_all((DEPLOY / path).read_text()) if thing]


def container_of(workload):
    return workload["spec"]["template"]["spec"]["containers"][0]


def restrictions(workload):
    """What a container runtime would make of the security context: a command that another one is put behind."""
    own = {**workload["spec"]["template"]["spec"]["securityContext"], **container_of(workload)["securityContext"]}
    only = "".join(f",+{name.lower()}" for name in own["capabilities"]["add"])
    return ["setpriv", "--reuid", str(own["runAsUser"]), "--regid", str(own["runAsGroup"]), "--clear-groups",
            "--no-new-privs", "--bounding-set", "-all" + only]


def ambient(workload):
    """The same for a program without file capabilities, for users other than root."""
    only = "".join(f",+{name.lower()}" for name in container_of(workload)["securityContext"]["capabilities"]["add"])
    return ["--inh-caps", "-all" + only, "--ambient-caps", "-all" + only]


def patched(thing, *kustomizations):
    """A copy of an object with the JSON patches that kustomizations have for its kind, in this order."""
    thing = copy.deepcopy(thing)
    for kustomization in kustomizations:
        for patch in objects(kustomization)[0]["patches"]:
            if patch.get("target", {}).get("kind") == thing["kind"]:
                for step in yaml.safe_load(patch["patch"]):
                    *way, last = [int(part) if part.isdecimal() else part for part in step["path"].split("/")[1:]]
                    place = thing
                    for part in way:
                        place = place[part]
                    if step["op"] == "add" and last == "-":
                        place.append(step["value"])
                    elif step["op"] == "replace":
                        place[last] = step["value"]
                    else:
                        raise ValueError(f"{kustomization}: {step}: only appending and replacing is known here")
    return thing


def rights(path, *kustomizations):
    """{(verb, group, resource)} of the one ClusterRole of a file, as kustomizations change it."""
    role, = (patched(thing, *kustomizations) for thing in objects(path) if thing["kind"] == "ClusterRole")
    return {(verb, group, resource) for rule in role["rules"] for verb in rule["verbs"]
            for group in rule["apiGroups"] for resource in rule["resources"]}


def asked(requests):
    """The same of the requests that a test API server got."""
    return {(one["verb"], one["path"].split("/")[2] if one["path"].startswith("/apis/") else "", one["resource"])
            for one in requests}


class Program:
    """A program that prints `ready`; ended at the end of a with block."""

    def __init__(self, space, command, environment=None, timeout=20):
        self.lines = []
        self.process = subprocess.Popen(space.command(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        end = time.monotonic() + timeout
        while "ready" not in self.lines and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        self.is_ready = "ready" in self.lines

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def stop(self):
        """Ends it as a kubelet does.  Returns its exit code."""
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self._reader.join(timeout=2)
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(timeout=2)
        self.process.stdout.close()
