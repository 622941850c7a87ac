"""kubeconfig files for tests."""

import json


def write_kubeconfig(path, server, certificate_authority=None, user=None, **cluster):
    """Writes a kubeconfig with one context, "test", and returns its path.

    `user` is what stands under a user's name there ({"token": ...}); other arguments are fields of
    the cluster, with "-" written as "_": tls_server_name, insecure_skip_tls_verify.
    """
    fields = {"server": server}
    if certificate_authority is not None:
        fields["certificate-authority"] = str(certificate_authority)
    fields.update({name.replace("_", "-"): value for name, value in cluster.items()})
    # JSON is YAML.
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "test", "preferences": {},
        "clusters": [{"name": "test", "cluster": fields}],
        "users": [{"name": "test", "user": user or {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }, indent=2) + "\n")
    return path
