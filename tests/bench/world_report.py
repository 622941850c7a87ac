"""The figures of world_bench.py as text, as JSON, and in the documentation.

docs/benchmarks/world.json is the source; tests/guard/benchmarks_test.py compares everything else with it.
"""

from dns_report import DOCS, ROOT, beside, machine, put_between_marks, thousands, to_json

JSON_FILE = DOCS / "world.json"


def kept(holds):
    return "kept" if holds else "missed"


def rows(result):
    """(what, measured, budget)."""
    relist = result["relist_peak_mib"] / result["resident_mib"]
    p50, p99 = (result[f"changing_{field}"] / result[f"quiet_{field}"] for field in ("p50_us", "p99_us"))
    tcp = result["tcp_per_second"] / result["udp_per_second"]
    own = f", {result['own_mib']:.1f} MiB of it its own" if "own_mib" in result else ""
    found = [
        ("process start to ready", f"{result['ready_s']:.2f} s, at worst {result['ready_worst_s']:.2f} s",
         f"1 s: {kept(result['ready_s'] <= 1)}"),
        ("resident memory", f"{result['resident_mib']:.1f} MiB{own}, at most {result['first_peak_mib']:.1f} MiB while listing first",
         f"32 MB: {kept(result['first_peak_mib'] * 1.048576 <= 32)}"),
        ("at most while everything is listed again", f"{result['relist_peak_mib']:.1f} MiB, {relist:.2f} times as much",
         f"1.2 times: {kept(relist <= 1.2)}"),
        ("change in the API to answer", f"p50 {result['change_p50_ms']:.2f} ms, p99 {result['change_p99_ms']:.2f} ms, "
         f"at worst {result['change_worst_ms']:.2f} ms, of {result['changes']}",
         f"p50 0.5 ms, p99 3 ms: {kept(result['change_p50_ms'] <= 0.5 and result['change_p99_ms'] <= 3)}"),
        (f"latency at {thousands(result['question_rate'])} questions a second",
         f"p50 {result['quiet_p50_us']:.0f} µs, p99 {result['quiet_p99_us']:.0f} µs", ""),
        (f"the same beside {result['change_rate']:.0f} changes a second",
         f"p50 {result['changing_p50_us']:.0f} µs, p99 {result['changing_p99_us']:.0f} µs: {p50:.2f} and {p99:.2f} times",
         f"1.1 times: {kept(p50 <= 1.1 and p99 <= 1.1)}"),
        ("how long the worker waited for its core meanwhile, in each second",
         f"{result['quiet_waited_ms']:.1f} ms without changes for it, {result['changing_waited_ms']:.1f} ms with them", ""),
        ("pipelined TCP", f"{thousands(result['tcp_per_second'])} answers a second, {tcp:.1f} times UDP's",
         f"0.5 times: {kept(tcp >= 0.5)}"),
        (f"memory after {thousands(result['churn'])} changes",
         f"{result['churn_before_mib']:.1f} MiB before, {result['churn_after_mib']:.1f} MiB after", ""),
    ]
    if "idle_kib" in result:
        found.append((f"{thousands(result['idle_connections'])} idle TCP connections",
                      f"{result['idle_kib']:.2f} KiB each, without the kernel's part", ""))
    return found


def setting(result):
    return (f"On {machine(result)}, one worker on one core, the API server and the load on another: "
            f"{thousands(result['world']['services'])} Services with {result['world']['endpoints']} endpoints each. "
            f"The API server takes {result['lists_s']:.2f} s to send its lists.{beside(result)}")


def text(result):
    lines = [setting(result), ""]
    table = [row for row in rows(result)]
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    lines += [f"{what.ljust(widths[0])}  {measured.ljust(widths[1])}  {budget}".rstrip() for what, measured, budget in table]
    return "\n".join(lines)


def table(result):
    lines = ["| | measured | budget |", "|---|---|---|"]
    lines += [f"| {what} | {measured} | {budget.replace('missed', '**missed**')} |" for what, measured, budget in rows(result)]
    return "\n".join(lines)


def summary(result):
    """The sentence of README."""
    return (f"From an API server, the same cluster is answered {result['ready_s']:.2f} s after the start of the process and takes "
            f"{result['resident_mib']:.0f} MiB; a change is answered after {result['change_p50_ms']:.2f} ms (p99 "
            f"{result['change_p99_ms']:.2f} ms).")


def fragments(result):
    """By file: what stands between its marks."""
    return {ROOT / "README.md": summary(result), DOCS / "README.md": f"{setting(result)}\n\n{table(result)}"}


def publish(result):
    JSON_FILE.write_text(to_json(result))
    for file, fragment in fragments(result).items():
        put_between_marks(file, JSON_FILE.name, fragment)
