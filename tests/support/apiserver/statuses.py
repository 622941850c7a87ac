"""Refusals as the real API server words them: a status code, extra headers, a Status object.

The words follow kube-apiserver 1.36.2: those of 401, 403, 404, 504 and the ERROR event from the
recordings in tests/data/api, the others from its published source.
"""

import json


class Refusal(Exception):
    """A response that is not the one that was asked for."""

    def __init__(self, code, body, content_type="application/json", headers=(), flow=True):
        super().__init__(code)
        self.code = code
        self.body = body if isinstance(body, bytes) else body.encode()
        self.content_type = content_type
        self.headers = dict(headers)
        self.flow = flow  # Whether priority and fairness saw the request and left its headers.


REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed", 406: "Not Acceptable", 410: "Gone",
           422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def status_object(code, message, reason, details=None, metadata=None):
    thing = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure",
             "message": message, "reason": reason}
    if details is not None:
        thing["details"] = details
    thing["code"] = code
    return json.dumps(thing, separators=(",", ":"), ensure_ascii=False)


def status(code, message, reason, details=None, metadata=None, **how):
    return Refusal(code, status_object(code, message, reason, details, metadata) + "\n", **how)


def unauthorized():
    return status(401, "Unauthorized", "Unauthorized", flow=False)


def forbidden(kind, verb, user, namespace=None):
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    details = {"group": kind.group} if kind.group else {}
    details["kind"] = kind.resource
    return status(403, f'{kind.qualified_resource()} is forbidden: User "{user}" cannot {verb} '
                  f'resource "{kind.resource}" in API group "{kind.group}" {scope}',
                  "Forbidden", details, headers={"X-Content-Type-Options": "nosniff"})


def no_such_resource():
    return status(404, "the server could not find the requested resource", "NotFound", {})


def no_such_object(kind, name):
    details = {"name": name}
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.resource
    return status(404, f'{kind.qualified_resource()} "{name}" not found', "NotFound", details)


def method_not_allowed():
    return status(405, "the server does not allow this method on the requested resource",
                  "MethodNotAllowed", {})


def not_acceptable():
    return status(406, "only the following media types are accepted: application/json",
                  "NotAcceptable")


def bad_request(message):
    return status(400, message, "BadRequest")


def invalid_option(field, message):
    """A list option that is forbidden where it stands."""
    return status(422, f'ListOptions.meta.k8s.io "" is invalid: {field}: Forbidden: {message}',
                  "Invalid", {"group": "meta.k8s.io", "kind": "ListOptions", "causes": [
                      {"reason": "FieldValueForbidden", "message": f"Forbidden: {message}",
                       "field": field}]})


def watch_list_is_off():
    return invalid_option("sendInitialEvents", "sendInitialEvents is forbidden for watch unless "
                          "the WatchList feature gate is enabled")


def too_large_version(asked, current):
    return status(504, f"Timeout: Too large resource version: {asked}, current: {current}",
                  "Timeout", {"causes": [{"reason": "ResourceVersionTooLarge",
                                          "message": "Too large resource version"}],
                              "retryAfterSeconds": 1}, headers={"Retry-After": "1"})


def continue_expired(new_token):
    return status(410, "The provided continue parameter is too old to display a consistent list "
                  "result. You can start a new list without the continue parameter, or use the "
                  "continue token in this response to retrieve the remainder of the results. "
                  "Continuing with the provided token results in an inconsistent list - objects "
                  "that were created, modified, or deleted between the time the first chunk was "
                  "returned and now may show up in the list.",
                  "Expired", metadata={"continue": new_token})


def version_expired():
    return status(410, "The resourceVersion for the provided list is too old.", "Expired")


def too_old_message(asked, oldest):
    return f"too old resource version: {asked} ({oldest})"


def too_many_requests(retry_after):
    return Refusal(429, "Too many requests, please try again later.\n", "text/plain; charset=utf-8",
                   {"X-Content-Type-Options": "nosniff", "Retry-After": str(retry_after)})


def of_code(code, retry_after=None):
    """A refusal with this code, for no reason but that a test wants it."""
    if code == 401:
        return unauthorized()
    if code == 429:
        return too_many_requests(1 if retry_after is None else retry_after)
    message, reason = {
        404: ("the server could not find the requested resource", "NotFound"),
        410: ("The resourceVersion for the provided watch is too old.", "Expired"),
        500: ("Internal error occurred: etcdserver: leader changed", "InternalError"),
        503: ("apiserver is shutting down", "ServiceUnavailable"),
        504: ("Timeout: request did not complete within the allotted timeout", "Timeout"),
    }.get(code, (REASONS.get(code, "Unknown"), "Unknown"))
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    details = None if retry_after is None else {"retryAfterSeconds": retry_after}
    return status(code, message, reason, details, headers=headers)
