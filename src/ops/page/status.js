// Brings the parts of the page that change up to date, for those who leave it open.  Everything is
// on the page without this script.
"use strict";

(() => {
  const Interval = 5000;  // Milliseconds.
  const parts = document.querySelectorAll(".live");
  const place = document.getElementById("refresh");
  if (parts.length === 0 || place === null) {
    return;
  }
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = true;
  label.append(box, " Refresh every 5 seconds");
  place.append(label);

  async function refresh() {
    if (!box.checked || document.hidden) {
      return;
    }
    const reply = await fetch(location.href, {cache: "no-store", credentials: "omit"});
    if (!reply.ok) {
      return;
    }
    const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const part of document.querySelectorAll(".live")) {
      const next = fresh.getElementById(part.id);
      // What somebody is in the middle of, stays.
      if (next !== null && !part.contains(document.activeElement)) {
        part.replaceWith(document.importNode(next, true));
      }
    }
    document.documentElement.dataset.refreshed = String(Date.now());
  }

  setInterval(() => refresh().catch(() => {}), Interval);
})();
