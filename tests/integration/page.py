"""Takes the status page apart."""

import html.parser
import re

VOID = {"meta", "link", "input", "br"}


class Page(html.parser.HTMLParser):
    """A page taken apart: the text of each table's rows by caption, and what no browser would forgive."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.problems, self.headings, self.scripts = {}, [], [], 0
        self._open, self._caption, self._row = [], None, None
        self.feed(text)
        if self._open:
            self.problems.append(f"not closed: {self._open}")

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self._row = []
        elif tag in ("td", "th") and self._row is not None:
            self._row.append("")
        elif tag == "caption":
            self._caption = ""
        elif tag == "script":
            self.scripts += 1
        elif tag in ("h1", "h2"):
            self.headings.append(tag)
        for name, value in names.items():
            if name.startswith("on") or name == "style":
                self.problems.append(f"<{tag} {name}>")
            if name in ("src", "href", "action") and not re.match(r"[/#]|data:,$", value or ""):
                self.problems.append(f"<{tag} {name}={value}>")

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")
        if tag == "tr" and self._caption is not None:
            self.tables.setdefault(self._caption, []).append([cell.strip() for cell in self._row])
            self._row = None

    def handle_data(self, data):
        if self._open and self._open[-1] == "caption":
            self._caption += data
        elif self._row:
            self._row[-1] += data

    def facts(self, caption):
        return {row[0]: row[1] for row in self.tables.get(caption, [])[1:]}
