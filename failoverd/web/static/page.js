// Keeps an open page true: asks for the same page again, changes only what differs, and says loudly when it cannot.
"use strict";
(() => {
  const EVERY = 1000, HIDDEN = 5000, PATIENCE = 5000;
  const link = document.getElementById("link"), lost = document.getElementById("lost");
  const mine = document.currentScript.getAttribute("src");
  const clock = () => new Date().toLocaleTimeString([], { hour12: false });
  let heard = Date.now();

  // The old tree becomes the new one in place: focus, selection and what people have opened stay.
  function become(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.hasAttribute("data-keep")) {
      for (const field of old.querySelectorAll("input[type=hidden]")) {
        const now = fresh.querySelector(`input[name="${field.name}"]`);
        if (now) field.value = now.value;
      }
      return;
    }
    for (const one of [...old.attributes]) {
      if (!fresh.hasAttribute(one.name) && one.name !== "open") old.removeAttribute(one.name);
    }
    for (const one of fresh.attributes) {
      if (old.getAttribute(one.name) !== one.value) old.setAttribute(one.name, one.value);
    }
    children(old, [...fresh.childNodes]);
  }

  // What has an id is found again wherever it has gone; everything else is matched in its order.
  function children(old, fresh) {
    const kept = new Set(fresh.map((one) => one.id).filter(Boolean));
    let place = old.firstChild;
    for (const one of fresh) {
      const same = one.id && [...old.children].find((known) => known.id === one.id);
      if (same) {
        if (same !== place) old.insertBefore(same, place);
        place = same.nextSibling;
        become(same, one);
      } else if (place && !kept.has(place.id)) {
        const next = place.nextSibling;
        become(place, one);
        place = next;
      } else {
        old.insertBefore(one, place);
      }
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function say(text) {
    const gone = Boolean(text);
    document.documentElement.classList.toggle("gone", gone);
    if (lost.hidden !== !gone) lost.hidden = !gone;
    if (lost.textContent !== text) lost.textContent = text;
    if (gone && !document.title.startsWith("LOST")) document.title = `LOST · ${document.title}`;
  }

  // Why there is no page: as the answer says it, in a line or under its heading.
  async function why(answer) {
    const text = await answer.text();
    const plain = (answer.headers.get("content-type") || "").startsWith("text/plain");
    const told = plain ? text : new DOMParser().parseFromString(text, "text/html").querySelector("h1")?.textContent;
    return told?.trim().replace(/\.$/, "") || `the answer was ${answer.status}`;
  }

  // A page of another version comes with its own script; who is filling a form in is left alone until that is done.
  function outdated(fresh) {
    const other = fresh.querySelector("script")?.getAttribute("src") !== mine;
    return other && !document.activeElement?.closest("form");
  }

  async function look() {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), PATIENCE);
    try {
      const answer = await fetch(location.href, { signal: limit.signal, cache: "no-store", headers: { "X-Again": "1" } });
      if (!answer.ok) throw new Error(await why(answer));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (outdated(fresh)) {
        location.reload();
        return;
      }
      heard = Date.now();
      say("");
      if (document.title !== fresh.title) document.title = fresh.title;
      become(document.getElementById("main"), fresh.getElementById("main"));
      link.textContent = `live, ${clock()}`;
    } catch (error) {
      const age = Math.round((Date.now() - heard) / 1000);
      const reason = error.name === "AbortError" ? "no answer" : error.message;
      if (age >= 3) {
        const then = new Date(heard).toLocaleTimeString([], { hour12: false });
        say(`This page has lost its connection (${reason}): what you see is from ${then} and may be wrong.`);
        link.textContent = "not live";
      }
    } finally {
      clearTimeout(timer);
      setTimeout(look, document.hidden ? HIDDEN : EVERY);
    }
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden) link.textContent = "looking…"; });
  setTimeout(look, EVERY);
})();
