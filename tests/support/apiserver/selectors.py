"""Label and field selectors, as query parameters spell them."""

import re

LABEL = r"[A-Za-z0-9][-A-Za-z0-9_./]*"
# Commas separate requirements, except inside the parentheses of a set.
REQUIREMENT = re.compile(r"\s*((?:[^,()]|\([^()]*\))+?)\s*(?:,|$)")
SET = re.compile(rf"({LABEL})\s+(in|notin)\s+\(([^()]*)\)")
EQUALITY = re.compile(rf"({LABEL})\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)")
EXISTS = re.compile(rf"(!?)\s*({LABEL})")


def _requirements(text):
    at = 0
    while at < len(text):
        found = REQUIREMENT.match(text, at)
        if not found:
            raise ValueError(f"unable to parse requirement: {text[at:]!r}")
        yield found.group(1)
        at = found.end()


def _label_test(text):
    if found := SET.fullmatch(text):
        name, operator, values = found.groups()
        wanted = {value.strip() for value in values.split(",")}
        if operator == "in":
            return lambda labels: labels.get(name) in wanted
        return lambda labels: labels.get(name) not in wanted
    if found := EQUALITY.fullmatch(text):
        name, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(name) != value
        return lambda labels: labels.get(name) == value
    if found := EXISTS.fullmatch(text):
        absent, name = found.groups()
        return (lambda labels: name not in labels) if absent else (lambda labels: name in labels)
    raise ValueError(f"unable to parse requirement: {text!r}")


def _field_test(kind, text):
    found = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", text)
    if not found:
        raise ValueError(f"invalid selector: {text!r}; can't understand {text!r}")
    name, operator, value = found.groups()
    if name not in kind.selectable:
        if kind.group:
            known = ", ".join(f'"{field}"' for field in kind.selectable)
            raise ValueError(f'"{name}" is not a known field selector: only {known}')
        raise ValueError(f"field label not supported: {name}")
    value = re.sub(r"\\([,=\\])", r"\1", value)
    if operator == "!=":
        return lambda fields: fields.get(name, "") != value
    return lambda fields: fields.get(name, "") == value


class Selector:
    """What a request admits: objects that meet every requirement.

    Raises ValueError with the server's words about a text that it does not understand.
    """

    def __init__(self, kind, labels="", fields="", namespace=None):
        self._labels = [_label_test(one) for one in _requirements(labels)]
        self._fields = [_field_test(kind, one) for one in re.split(r"(?<!\\),", fields) if one]
        self._namespace = namespace
        self.is_restricted = bool(self._labels or self._fields)
        self._matches_all = not self.is_restricted and namespace is None

    def matches(self, entry):
        return self._matches_all or (
            (self._namespace is None or entry.namespace == self._namespace)
            and all(test(entry.labels) for test in self._labels)
            and all(test(entry.fields) for test in self._fields))
