#!/usr/bin/env python3
"""An API server that speaks enough of kube-apiserver's protocol to test clients with, and fails on
demand.

In a test, as a process of its own:

    with ApiServer() as api:
        api.load_cluster(services=100)
        api.fault(resource="services", verb="watch", reset_after=500, times=1)
        ...

By hand: api_server.py --kubeconfig FILE --script FILE; see --help.

What it does not do: write requests, protobuf, tables, HTTP/2, and checking of objects: one with a
wrong type in a field is stored and sent as it is.
"""

from apiserver.child import main
from apiserver.control import ApiServer

__all__ = ["ApiServer"]

if __name__ == "__main__":
    main()
