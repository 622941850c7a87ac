"""The figures of dns_bench.py as text, as JSON, as a chart, and in the documentation.

docs/benchmarks/dns.json is the source; tests/guard/benchmarks_test.py compares everything else with it.
"""

import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "benchmarks"
JSON_FILE = DOCS / "dns.json"
CHART_FILE = DOCS / "dns.svg"
ECHO = "bare UDP echo"
WAYPOST = "waypost-dns"
MIX = "cluster"
TWO_WORKERS = "two workers"
SHARING_WORKER = "one worker, sharing its core"


def to_json(result):
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


def thousands(number):
    return f"{number:,.0f}".replace(",", " ")


def mix_of(result, title, mix, field="per_second"):
    return result["servers"].get(title, {}).get("mixes", {}).get(mix, {}).get(field)


def is_clean(server, mix):
    return server["mixes"][mix]["wrong"] == 0


def best_peer(result):
    """(title, answers a second) of the fastest server that is neither ours nor the echo; or None."""
    peers = [(server["mixes"][MIX]["per_second"], title) for title, server in result["servers"].items()
             if title not in (ECHO, WAYPOST) and is_clean(server, MIX)]
    return max(peers)[::-1] if peers else None


def budgets(result):
    """(what, measured or None, limit), of every budget."""
    ours = mix_of(result, WAYPOST, MIX)
    echo = mix_of(result, ECHO, MIX)
    found = [("answers a second, to the echo's", ours / echo, 0.85)]
    cost = mix_of(result, ECHO, MIX, "server_us") / mix_of(result, WAYPOST, MIX, "server_us")
    found.append(("the echo's server CPU for an answer, to ours", cost, 0.85))
    peer = best_peer(result)
    found.append((f"answers a second, to those of the best peer{f', {peer[0]}' if peer else ''}",
                  ours / peer[1] if peer else None, 1.3))
    tcp = mix_of(result, WAYPOST, "TCP, cluster")
    found.append(("answers a second over TCP, to those over UDP", tcp / ours if tcp else None, 0.5))
    # A worker that shares its core with the load is compared with one that does, too.
    one = MIX if result["machine"]["cores"] >= 4 else SHARING_WORKER
    if mix_of(result, WAYPOST, TWO_WORKERS) and mix_of(result, WAYPOST, one):
        ours, echo = (mix_of(result, title, TWO_WORKERS) / mix_of(result, title, one) for title in (WAYPOST, ECHO))
        found.append((f"answers a second of two workers, to those of one (the echo's: {echo:.2f})", ours, 1.9))
    else:
        found.append(("answers a second of two workers, to those of one", None, 1.9))
    return found


def budget_lines(result, missed):
    def verdict(value, limit):
        return "not measured" if value is None else f"{value:.2f}, {'kept' if value >= limit else missed}"

    return [f"{what}: {verdict(value, limit)} (at least {limit})" for what, value, limit in budgets(result)]


def machine(result):
    return f"{result['machine']['cores']} cores of an {result['machine']['cpu']}"


def beside(result):
    """What else ran on the machine: an own sentence, or nothing when it was quiet."""
    load = result["load_before"]
    if load < 0.5:
        return ""
    return f" Other programs were busy on these cores (load average {load:.1f}): rates and latencies suffer, ratios less."


def setting(result):
    rounds = result["rounds"]
    return (f"On {machine(result)}: the server with one worker on one core, the load on another; "
            f"{thousands(result['world']['services'])} Services with {result['world']['endpoints']} endpoints "
            f"each; medians of {rounds['cluster']} rounds of {rounds['seconds']:g} s, from server to server in turn."
            f"{beside(result)}")


def name_of(title, server):
    return f"{title} {server['version']}" if server["version"] and title != WAYPOST else title


def latency(mix):
    return f"{mix['p50_us']:.0f} / {mix['p99_us']:.0f} / {mix['p999_us']:.0f}" if mix else "–"


def summary_table(result):
    """The table of README."""
    echo = mix_of(result, ECHO, MIX)
    lines = ["| | answers/s | of the echo | server CPU per answer | resident memory |", "|---|---|---|---|---|"]
    for title, server in result["servers"].items():
        mix = server["mixes"][MIX]
        memory = "–" if title == ECHO else f"{server['resident_mib']:.0f} MiB"
        wrong = "" if is_clean(server, MIX) else " (wrong answers)"
        strong = "**" if title == WAYPOST else ""
        lines.append(f"| {strong}{name_of(title, server)}{strong}{wrong} | {thousands(mix['per_second'])} | "
                     f"{mix['per_second'] / echo:.2f} | {mix['server_us']:.2f} µs | {memory} |")
    return "\n".join(lines)


def mixes_of(result):
    names = {}
    for server in result["servers"].values():
        names.update(dict.fromkeys(server["mixes"]))
    return [name for name in names if not name.endswith("%")]


def full_tables(result):
    """Every mix of every server, and latencies."""
    titles = list(result["servers"])
    head = "| | " + " | ".join(titles) + " |\n|" + "---|" * (len(titles) + 1)
    parts = ["Answers a second, and in brackets µs of server CPU for each:\n", head]
    for mix in mixes_of(result):
        cells = []
        for title in titles:
            one = result["servers"][title]["mixes"].get(mix)
            cells.append("–" if one is None else f"{one['wrong']} wrong" if one["wrong"] else
                         f"{thousands(one['per_second'])} ({one['server_us']:.2f})"
                         + (f", {one['lost']} lost" if one["lost"] else ""))
        parts.append(f"| {mix} | " + " | ".join(cells) + " |")
    parts += ["\nLatency in µs, p50 / p99 / p99.9, at a share of each server's own maximum of the cluster mix:\n", head]
    shares = [name for name in result["servers"][ECHO]["mixes"] if name.endswith("%")]
    for share in shares:
        parts.append(f"| {share} | " + " | ".join(
            latency(result["servers"][title]["mixes"].get(share)) for title in titles) + " |")
    return "\n".join(parts)


def text(result):
    """What the benchmark prints: one table, and what it says about the budgets."""
    titles = list(result["servers"])
    rows = [["", *titles]]
    for mix in mixes_of(result):
        for field, form in (("per_second", "{:.0f}"), ("server_us", "{:.2f}")):
            label = mix if field == "per_second" else "  server µs each"
            rows.append([label] + [form.format(mix_of(result, title, mix, field))
                                   if mix in result["servers"][title]["mixes"] else "-" for title in titles])
        for field in ("wrong", "lost"):
            if any(mix_of(result, title, mix, field) for title in titles):
                rows.append([f"  {field}"] + [str(mix_of(result, title, mix, field) or 0) for title in titles])
    for share in [name for name in result["servers"][ECHO]["mixes"] if name.endswith("%")]:
        for field, name in (("p50_us", "p50"), ("p99_us", "p99"), ("p999_us", "p99.9")):
            rows.append([f"at {share}, {name} µs"] + [f"{mix_of(result, title, share, field):.0f}" for title in titles])
    rows.append(["resident MiB"] + [f"{server['resident_mib']:.1f}" for server in result["servers"].values()])
    widths = [max(len(row[i]) for row in rows) for i in range(len(titles) + 1)]
    lines = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths))) for row in rows]
    lines += ["", setting(result)]
    lines += [f"skipped: {title}: {reason}" for title, reason in result["skipped"].items()]
    lines += budget_lines(result, "MISSED")
    return "\n".join(lines)


# ---- The chart.

STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.note { font-size: 11px; fill: #59636e; }
.bar { fill: #8c959f; }
.ours { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #9198a1; }
  .bar { fill: #656c76; }
  .ours { fill: #4493f8; }
}"""


def escape(text_):
    return text_.replace("&", "&amp;").replace("<", "&lt;")


def chart(result):
    """Bars of answers a second, with no background of their own: readable on light and on dark pages."""
    left, width, step = 150, 420, 30
    servers = [(title, server) for title, server in result["servers"].items() if is_clean(server, MIX)]
    most = max(server["mixes"][MIX]["per_second"] for _, server in servers)
    height = 70 + step * len(servers)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" width="720" height="{height}" '
             'role="img" aria-label="Answers a second of DNS servers with one worker">',
             f"<style>{STYLE}</style>",
             '<text x="10" y="22">UDP answers a second, one worker, the mix of a cluster</text>']
    for row, (title, server) in enumerate(servers):
        mix = server["mixes"][MIX]
        y = 38 + row * step
        length = width * mix["per_second"] / most
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(title)}</text>')
        parts.append(f'<rect class="{"ours" if title == WAYPOST else "bar"}" x="{left}" y="{y}" '
                     f'width="{length:.1f}" height="20" rx="2"/>')
        parts.append(f'<text x="{left + length + 8:.1f}" y="{y + 15}">{thousands(mix["per_second"])} '
                     f'<tspan class="note">{mix["server_us"]:.2f} µs</tspan></text>')
    parts.append(f'<text class="note" x="10" y="{height - 10}">{escape(machine(result))}; '
                 "µs: server CPU for each answer</text>")
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


# ---- The documentation.

def fragments(result):
    """By file: what stands between its marks."""
    verdicts = "\n".join(f"- {line}" for line in budget_lines(result, "**missed**"))
    return {
        ROOT / "README.md": f"{setting(result)}\n\n{summary_table(result)}",
        DOCS / "README.md": "\n\n".join([setting(result), summary_table(result), verdicts, full_tables(result)]),
    }


def marks(source):
    """What stands around the figures of a file of docs/benchmarks."""
    return re.compile(rf"(<!-- figures of docs/benchmarks/{source} -->\n\n).*?(\n\n<!-- end of figures -->)", re.DOTALL)


def marked_in(file, source):
    """What stands between the marks in a file, or None."""
    found = marks(source).search(file.read_text())
    return found.group(0)[len(found.group(1)):-len(found.group(2))] if found else None


def put_between_marks(file, source, fragment):
    before = file.read_text()
    if not marks(source).search(before):
        raise ValueError(f"{file} has no marks for the figures of {source}")
    file.write_text(marks(source).sub(lambda found: found.group(1) + fragment + found.group(2), before))


def publish(result):
    DOCS.mkdir(parents=True, exist_ok=True)
    JSON_FILE.write_text(to_json(result))
    CHART_FILE.write_text(chart(result))
    for file, fragment in fragments(result).items():
        put_between_marks(file, JSON_FILE.name, fragment)
