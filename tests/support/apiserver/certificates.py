"""Certificates for tests, made by the openssl program when they are needed."""

import itertools
import pathlib
import subprocess

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
HOSTS = ("127.0.0.1", "::1", "localhost")


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr}")


class Authority:
    """A certificate authority in a folder, which keeps the files that it makes."""

    def __init__(self, folder, name="test authority"):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count(1)
        self.certificate = self._folder / "ca.crt"
        self._key = self._folder / "ca.key"
        _openssl("req", "-x509", *KEY, "-keyout", self._key, "-out", self.certificate, "-days", 30,
                 "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _issue(self, subject, extensions, expired=False):
        number = next(self._numbers)
        base = self._folder / f"{number}"
        key, request, certificate = (base.with_suffix(end) for end in (".key", ".csr", ".crt"))
        extension_file = base.with_suffix(".ext")
        extension_file.write_text("\n".join(extensions) + "\n")
        _openssl("req", "-new", *KEY, "-keyout", key, "-out", request, "-subj", subject)
        database = base.with_suffix(".db")
        database.write_text("")
        config = base.with_suffix(".cnf")
        config.write_text(
            f"[ca]\ndefault_ca = a\n[a]\ndatabase = {database}\nnew_certs_dir = {self._folder}\n"
            "rand_serial = yes\npolicy = p\ndefault_md = sha256\n[p]\nCN = optional\n"
            "organizationName = optional\n")
        times = (["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired
                 else ["-startdate", "20200101000000Z", "-days", 30])
        _openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.certificate, "-keyfile",
                 self._key, "-in", request, "-out", certificate, "-extfile", extension_file, *times)
        return str(certificate), str(key)

    def server(self, hosts=HOSTS, expired=False):
        """A server certificate for these names and addresses.  Returns (certificate, key)."""
        names = ",".join(("IP:" if host[0].isdigit() or ":" in host else "DNS:") + host
                         for host in hosts)
        return self._issue("/CN=kube-apiserver", [
            f"subjectAltName={names}", "extendedKeyUsage=serverAuth",
            "keyUsage=critical,digitalSignature"], expired)

    def client(self, user="system:kube-scheduler", expired=False):
        """A client certificate.  Returns (certificate, key)."""
        return self._issue(f"/CN={user}", ["extendedKeyUsage=clientAuth",
                                           "keyUsage=critical,digitalSignature"], expired)
