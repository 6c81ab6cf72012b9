// Keeps an open page true: asks for the same page again, changes only what differs, and says loudly when it cannot.
"use strict";
(() => {
  const EVERY = 1000, HIDDEN = 5000, PATIENCE = 5000;
  const link = document.getElementById("link"), lost = document.getElementById("lost");
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

  async function look() {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), PATIENCE);
    try {
      const answer = await fetch(location.href, { signal: limit.signal, cache: "no-store", headers: { "X-Again": "1" } });
      if (!answer.ok) throw new Error(`the answer was ${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      heard = Date.now();
      say("");
      if (document.title !== fresh.title) document.title = fresh.title;
      become(document.getElementById("main"), fresh.getElementById("main"));
      link.textContent = `live, ${clock()}`;
    } catch (error) {
      const age = Math.round((Date.now() - heard) / 1000);
      const why = error.name === "AbortError" ? "no answer" : error.message;
      if (age >= 3) {
        const then = new Date(heard).toLocaleTimeString([], { hour12: false });
        say(`This page has lost its connection (${why}): what you see is from ${then} and may be wrong.`);
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
