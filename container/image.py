#!/usr/bin/env python3
"""Makes the OCI images of waypost-dns and waypost-node, without a container engine.

usage: container/image.py PROGRAMS OUTPUT [--packages FOLDER] [--unpack]

PROGRAMS is a folder with the three programs, built and not yet stripped.  OUTPUT gets, for each image, an OCI layout
(OUTPUT/NAME) and the same as a file (OUTPUT/NAME.tar); with --unpack the root file system as well (OUTPUT/NAME.root).
Packages are kept in OUTPUT/packages, or where --packages says.

What is not the project's own comes from the Debian packages of container/packages.txt, in the versions that this
machine's apt offers.  Only what the programs need of them is taken: shared libraries, iptables, certificates, licenses.
There is no shell and no package manager; var/lib/dpkg/status.d says which packages there are, for scanners.

The same commit, packages and programs give the same octets, and so the same digest: entries are sorted, owners are
root, times are the commit's, or SOURCE_DATE_EPOCH.  What a library of the tree needs has to be in the tree.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
USER = 65532
KEPT = re.compile(
    r"usr/lib(64)?/(?!.*(gconv|audit)/).*\.so(\.[0-9.]+)*"
    r"|usr/sbin/(xtables-(nft|legacy)-multi|ip6?tables-(nft|legacy)(-save|-restore)?)"
    r"|usr/share/doc/[^/]+(/copyright)?")
CERTIFICATES = re.compile(r"usr/share/ca-certificates/.*\.crt")
# security.capability, version 2, effective (linux/capability.h): CAP_NET_BIND_SERVICE, which is 10.
MAY_BIND_LOW_PORTS = bytes([1, 0, 0, 2, 0, 4] + 14 * [0])
IMAGES = {
    "waypost-dns": {
        "stages": {"run"}, "programs": ["waypost-dns", "waypost"], "user": USER,
        "title": "Waypost cluster DNS", "ports": ["53/udp", "53/tcp", "8080/tcp", "8181/tcp", "9153/tcp"],
        # What manifests for CoreDNS start that do not leave it to the image.
        "links": {"coredns": "usr/local/bin/waypost-dns", "usr/local/bin/coredns": "waypost-dns"},
        "capable": {"waypost-dns"}},
    "waypost-node": {
        "stages": {"run", "node"}, "programs": ["waypost-node", "waypost"], "user": 0,
        "title": "Waypost node agent", "ports": ["10249/tcp", "10256/tcp"],
        # What the DaemonSet that kubeadm makes for kube-proxy starts.
        "links": {"usr/local/bin/kube-proxy": "waypost-node"}, "capable": set()},
}


def fail(message):
    sys.exit(f"image: {message}")


def output_of(*command, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, cwd=cwd, check=False)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def packages_of(stages):
    lines = (ROOT / "container" / "packages.txt").read_text().splitlines()
    pairs = [line.split() for line in lines if line and not line.startswith("#")]
    return sorted(package for stage, package in pairs if stage in stages)


def offered(packages):
    """Package → (file name, sha256) as this machine's apt offers it; None when its lists are missing or too old."""
    command = ["apt-get", "-qq", "--print-uris", "download", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(r"^'[^']*' (\S+) \d+ SHA256:([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    files = {file.split("_")[0]: (file, checksum) for file, checksum in found}
    return files if done.returncode == 0 and set(files) == set(packages) else None


def download(packages, folder):
    """Package → file in a folder, which keeps them for the next time."""
    folder.mkdir(parents=True, exist_ok=True)
    files = offered(packages)
    if files is None:
        output_of("apt-get", "-qq", "update")
        files = offered(packages) or fail(f"apt does not know all of {' '.join(packages)}")

    def missing():
        return [package for package, (file, checksum) in files.items() if not (folder / file).exists()
                or hashlib.sha256((folder / file).read_bytes()).hexdigest() != checksum]

    if missing():
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *missing()]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0:
            output_of("apt-get", "-qq", "update")  # The list was older than the archive.
            files = offered(packages) or files
            output_of(*command, cwd=folder)
    if missing():
        fail(f"not what apt promised: {' '.join(missing())}")
    return {package: folder / file for package, (file, _) in files.items()}


class Tree:
    """The files of an image: path without a leading slash → (TarInfo, content)."""

    def __init__(self, when):
        self._when = when
        self.entries = {}

    def _put(self, path, kind, mode, content=b"", target=""):
        parent = os.path.dirname(path)
        if parent and parent not in self.entries:
            self.folder(parent)
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode, entry.linkname, entry.size = kind, mode, target, len(content)
        entry.mtime = self._when
        self.entries[path] = (entry, content)
        return entry

    def folder(self, path, mode=0o755):
        self._put(path, tarfile.DIRTYPE, mode)

    def file(self, path, content, mode=0o644):
        return self._put(path, tarfile.REGTYPE, mode, content)

    def link(self, path, target):
        self._put(path, tarfile.SYMTYPE, 0o777, target=target)

    def add_package(self, name, file):
        """What is kept of a package, with usr merged.  Returns its certificates."""
        certificates = {}
        with tarfile.open(fileobj=io.BytesIO(output_of("dpkg-deb", "--fsys-tarfile", file))) as archive:
            for member in archive:
                path = re.sub(r"^(bin|sbin|lib|lib64)/", r"usr/\1/", member.name.removeprefix("./"))
                if CERTIFICATES.fullmatch(path) and member.isfile():
                    certificates[path] = archive.extractfile(member).read()
                elif not KEPT.fullmatch(path):
                    continue
                elif member.issym():  # A package's documentation may be that of another one.
                    self.link(path, member.linkname)
                elif member.isfile() or member.islnk():  # A second name of a file becomes a file.
                    self.file(path, archive.extractfile(member).read(), member.mode & 0o755)
        self.file(f"var/lib/dpkg/status.d/{name}", output_of("dpkg-deb", "--field", file))
        return certificates

    def layer(self):
        """A tar of everything, in the order of names: folders come before what is in them."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                entry, content = self.entries[path]
                archive.addfile(entry, io.BytesIO(content))
        return out.getvalue()


def stripped(program):
    with tempfile.NamedTemporaryFile() as copy:
        output_of("strip", "--strip-all", "-o", copy.name, program)
        return pathlib.Path(copy.name).read_bytes()


def check_libraries(name, tree):
    """Everything that a program or library needs is in the tree."""
    names = {os.path.basename(path) for path in tree.entries}
    with tempfile.TemporaryDirectory() as scratch:
        files = {}
        for number, (path, (_, content)) in enumerate(tree.entries.items()):
            if content.startswith(b"\x7fELF"):
                file = pathlib.Path(scratch) / str(number)
                file.write_bytes(content)
                files[str(file)] = path
        current = ""
        for line in output_of("readelf", "-d", *files).decode().splitlines():
            if line.startswith("File: "):
                current = files[line.removeprefix("File: ")]
            needed = re.search(r"\(NEEDED\).*\[(.*)\]", line)
            if needed and needed.group(1) not in names:
                fail(f"{name}: /{current} needs {needed.group(1)}, which no package of container/packages.txt has")


def tree_of(name, image, programs, packages, when):
    tree = Tree(when)
    for folder in ("bin", "sbin", "lib", "lib64"):
        tree.link(folder, f"usr/{folder}")
        tree.folder(f"usr/{folder}")
    certificates = {}
    for package in packages_of(image["stages"]):
        if package not in packages:
            fail(f"apt has not brought {package}")
        certificates |= tree.add_package(package, packages[package])
    for program in image["programs"]:
        entry = tree.file(f"usr/local/bin/{program}", stripped(programs / program), 0o755)
        if program in image["capable"]:
            entry.pax_headers["SCHILY.xattr.security.capability"] = MAY_BIND_LOW_PORTS.decode("ascii")
    for path, target in image["links"].items():
        tree.link(path, target)
    # What update-ca-certificates would make, where OpenSSL looks.
    tree.file("etc/ssl/certs/ca-certificates.crt",
              b"".join(certificates[path].rstrip() + b"\n" for path in sorted(certificates)))
    tree.link("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt")
    tree.link("usr/lib/ssl/certs", "/etc/ssl/certs")
    tree.file("etc/passwd", f"root:x:0:0:root:/:/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/nologin\n".encode())
    tree.file("etc/group", f"root:x:0:\nnonroot:x:{USER}:\n".encode())
    tree.file("usr/share/doc/waypost/copyright", (ROOT / "LICENSE").read_bytes())
    for folder in ("dev", "etc", "proc", "run", "sys"):  # Where runtimes put what they bring.
        if folder not in tree.entries:
            tree.folder(folder)
    tree.folder("tmp", 0o1777)
    check_libraries(name, tree)
    return tree


def canonical(thing):
    return json.dumps(thing, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """An OCI image layout (image-spec 1.0) with one image."""

    def __init__(self, folder):
        self._folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)

    def _blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self._folder / "blobs" / "sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def write(self, tag, layer, config):
        """Returns the digest of the manifest, by which the image is known."""
        kind = "application/vnd.oci.image."
        config = {**config, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
        manifest = {"schemaVersion": 2, "mediaType": kind + "manifest.v1+json",
                    "config": self._blob(kind + "config.v1+json", canonical(config)),
                    "layers": [self._blob(kind + "layer.v1.tar+gzip", gzip.compress(layer, 6, mtime=0))]}
        entry = self._blob(kind + "manifest.v1+json", canonical(manifest))
        index = {"schemaVersion": 2, "mediaType": kind + "index.v1+json",
                 "manifests": [{**entry, "annotations": {"org.opencontainers.image.ref.name": tag}}]}
        (self._folder / "index.json").write_bytes(canonical(index))
        (self._folder / "oci-layout").write_bytes(canonical({"imageLayoutVersion": "1.0.0"}))
        return entry["digest"]


def write_archive(folder, file, when):
    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.mtime = when
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.mode, entry.size = 0o644, path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(entry, content)


def unpack(layer, folder):
    """The root file system itself; extended attributes too, which Python's tarfile leaves out."""
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        archive.extractall(folder, numeric_owner=True)
        for entry in archive:
            value = entry.pax_headers.get("SCHILY.xattr.security.capability")
            if value:
                os.setxattr(folder / entry.name, "security.capability", value.encode("ascii"))


def configuration(image, version, architecture, when):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    return {"architecture": architecture, "os": "linux", "created": created,
            "config": {"User": f"{image['user']}:{image['user']}",
                       "Entrypoint": [f"/usr/local/bin/{image['programs'][0]}"],
                       "Env": ["PATH=/usr/local/bin:/usr/sbin"], "WorkingDir": "/",
                       "ExposedPorts": {port: {} for port in image["ports"]},
                       "Labels": {"org.opencontainers.image.title": image["title"],
                                  "org.opencontainers.image.version": version,
                                  "org.opencontainers.image.licenses": "Apache-2.0"}},
            "history": [{"created": created, "created_by": "container/image.py"}]}


def git(*arguments):
    return output_of("git", "-C", ROOT, *arguments).decode().strip()


def main():
    parser = argparse.ArgumentParser(description="Makes the OCI images of waypost-dns and waypost-node.")
    parser.add_argument("programs", type=pathlib.Path, metavar="PROGRAMS", help="a folder with the three programs")
    parser.add_argument("output", type=pathlib.Path, metavar="OUTPUT", help="the folder to write to")
    parser.add_argument("--packages", type=pathlib.Path, metavar="FOLDER", help="where packages are kept")
    parser.add_argument("--unpack", action="store_true", help="write the root file systems, too")
    given = parser.parse_args()
    when = int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct"))
    version = output_of(given.programs / "waypost", "--version").decode().split()[-1]
    architecture = output_of("dpkg", "--print-architecture").decode().strip()
    packages = download(packages_of({"run", "node"}), given.packages or given.output / "packages")
    given.output.mkdir(parents=True, exist_ok=True)
    for name, image in IMAGES.items():
        tree = tree_of(name, image, given.programs, packages, when)
        layer = tree.layer()
        for old in (given.output / name, given.output / f"{name}.root"):
            shutil.rmtree(old, ignore_errors=True)
        config = configuration(image, version, architecture, when)
        digest = Layout(given.output / name).write(version, layer, config)
        write_archive(given.output / name, given.output / f"{name}.tar", when)
        if given.unpack:
            unpack(layer, given.output / f"{name}.root")
        size = (given.output / f"{name}.tar").stat().st_size
        print(f"{given.output / name}: {version}, {digest}, {size / 1e6:.1f} MB, {len(layer) / 1e6:.1f} MB unpacked")


if __name__ == "__main__":
    main()
