"use strict";
// The gallery, its dialog, and the slider of iterations.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const by = name => document.getElementById(name);
  const all = selector => Array.from(document.querySelectorAll(selector));

  const zoom = by("zoom");
  if (zoom) {
    zoom.addEventListener("input", () => {
      document.documentElement.style.setProperty("--zoom", zoom.value);
      by("zoom-value").textContent = `${zoom.value}x`;
    });
    const filter = by("class-filter");
    filter.addEventListener("change", () => all(".class").forEach(row => { row.hidden = filter.value !== "" && row.dataset.class !== filter.value; }));

    const dialog = by("detail");
    let current = null;
    const shown = () => all(".gallery .class:not([hidden]) button");
    const say = (name, text) => { by(`detail-${name}`).textContent = text; };
    const show = button => {
      const { name, number, score, seen, real, realclass, distance } = button.dataset;
      const gallery = button.closest(".gallery");
      current = button;
      dialog.className = `dialog-${gallery.dataset.run}`;
      say("title", `${name}, image ${number}`);
      say("run", gallery.dataset.name);
      say("class", name);
      by("detail-image").src = button.firstElementChild.src;
      by("detail-image").alt = button.firstElementChild.alt;
      all("#detail .looked, #detail-nearest").forEach(each => { each.hidden = score === undefined; });
      if (score !== undefined) {
        say("score", `${score}%`);
        say("seen", seen);
        say("real-class", realclass);
        say("distance", distance);
        by("detail-real").src = real;
        by("detail-real").alt = `nearest real image, ${realclass}`;
      }
      if (!dialog.open) dialog.showModal();
    };
    const step = by_ => {
      const every = shown();
      show(every[(every.indexOf(current) + by_ + every.length) % every.length]);
    };
    document.addEventListener("click", event => {
      const button = event.target.closest(".gallery button");
      if (button) show(button);
    });
    by("detail-before").addEventListener("click", () => step(-1));
    by("detail-after").addEventListener("click", () => step(1));
    by("detail-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("keydown", event => {
      if (event.key === "ArrowLeft") step(-1);
      if (event.key === "ArrowRight") step(1);
    });
    dialog.addEventListener("close", () => current && current.focus());
  }

  const moment = by("moment");
  if (moment) {
    const move = () => {
      const iteration = data.iterations[Number(moment.value)];
      by("moment-value").textContent = iteration;
      moment.setAttribute("aria-valuetext", `iteration ${iteration}`);
      all(".frames").forEach(part => {
        const frames = data.runs[Number(part.dataset.run)].frames;
        const last = Math.max(...Object.keys(frames).map(Number).filter(each => each <= iteration));
        part.querySelectorAll("img").forEach((image, place) => { image.src = frames[last][place]; });
      });
    };
    moment.addEventListener("input", move);
    let timer = null;
    const play = by("play");
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
    play.addEventListener("click", () => {
      if (timer) return stop();
      if (Number(moment.value) === Number(moment.max)) { moment.value = 0; move(); }
      play.textContent = "Pause";
      timer = setInterval(() => {
        moment.value = Number(moment.value) + 1;
        move();
        if (Number(moment.value) === Number(moment.max)) stop();
      }, 500);
    });
  }
})();
