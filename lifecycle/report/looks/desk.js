"use strict";
// The page follows the workspace: it asks whether anything changed and, if so, shows the same page anew.
(() => {
  const wait = 3000;
  let seen = null;

  const renewed = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = document.querySelector("main");
    const busy = main.contains(document.activeElement) && document.activeElement !== main;
    const open = [...main.querySelectorAll("details")].map((one) => one.open);
    if (busy) {
      document.getElementById("fresh").textContent = next.getElementById("content").dataset.changed || "";
      return;
    }
    main.replaceWith(next.querySelector("main"));
    document.querySelectorAll("main details").forEach((one, at) => { one.open = Boolean(open[at]); });
    document.title = next.title;
  };

  const look = async () => {
    try {
      const answer = await fetch("/state", { headers: { Accept: "application/json" } });
      if (answer.ok) {
        const { stamp } = await answer.json();
        if (seen !== null && stamp !== seen) await renewed();
        seen = stamp;
      }
    } catch { /* the server has ended; what is shown stays */ }
    setTimeout(look, wait);
  };

  // The verifier is asked once, by the link; looking again must not ask it again and again.
  if (!document.body.dataset.still) look();
})();
