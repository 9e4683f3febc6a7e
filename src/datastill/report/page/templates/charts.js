"use strict";
// Curves and the map, drawn by D3 from the figures in the page.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const figures = d3.format(".4~g");
  const named = name => (name === "validation_accuracy" ? "accuracy on the validation split, %" : name.replaceAll("_", " "));

  function lines(name) {
    const series = data.runs.map((run, own) => ({ own, name: run.name, points: run.curves[name] || [] })).filter(each => each.points.length);
    const every = series.flatMap(each => each.points);
    const [width, height, left, bottom] = [380, 220, 46, 26];
    const [least, most] = d3.extent(every, point => point[1]);
    const logarithmic = name !== "validation_accuracy" && least > 0 && most > 20 * least;
    const x = d3.scaleLinear().domain(d3.extent(every, point => point[0])).range([left, width - 8]);
    const y = (logarithmic ? d3.scaleLog() : d3.scaleLinear()).domain(least === most ? [least - 1, most + 1] : [least, most]).nice().range([height - bottom, 8]);
    const figure = d3.select("#curve-charts").append("figure").attr("class", "chart");
    figure.append("figcaption").text(named(name) + (logarithmic ? " (log scale)" : ""));
    const told = series.map(each => `${each.name}: ${figures(each.points[0][1])} at iteration ${each.points[0][0]}, ${figures(each.points[each.points.length - 1][1])} at ${each.points[each.points.length - 1][0]}`);
    const svg = figure.append("svg").attr("viewBox", [0, 0, width, height]).attr("tabindex", 0).attr("role", "img").attr("aria-label", `${named(name)}. ${told.join(". ")}`);
    svg.append("g").attr("transform", `translate(0,${height - bottom})`).call(d3.axisBottom(x).ticks(5, "~s").tickSizeOuter(0));
    svg.append("g").attr("transform", `translate(${left},0)`).call(logarithmic ? d3.axisLeft(y).ticks(4, "~s") : d3.axisLeft(y).ticks(5).tickFormat(value => (Math.abs(value) < 1e4 ? String(+value.toPrecision(6)) : d3.format("~s")(value))));
    const path = d3.line().x(point => x(point[0])).y(point => y(point[1]));
    const group = svg.selectAll("g.own").data(series).enter().append("g").attr("class", each => `own own${each.own}`);
    group.append("path").attr("class", each => `series ${["", "second", "third"][each.own % 3]}`).attr("d", each => path(each.points));
    group.append("circle").attr("class", "end").attr("r", 3.5).attr("cx", each => x(each.points[each.points.length - 1][0])).attr("cy", each => y(each.points[each.points.length - 1][1]));
    const cursor = svg.append("line").attr("class", "cursor").attr("y1", 8).attr("y2", height - bottom).attr("visibility", "hidden");
    const readout = figure.append("div").attr("class", "readout").attr("aria-live", "polite");
    const moments = Array.from(new Set(every.map(point => point[0]))).sort(d3.ascending);
    let place = moments.length - 1;
    const read = at => {
      place = Math.max(0, Math.min(moments.length - 1, at));
      const moment = moments[place];
      cursor.attr("visibility", null).attr("x1", x(moment)).attr("x2", x(moment));
      const values = series.map(each => [each.name, each.points.find(point => point[0] === moment)]).filter(each => each[1]);
      readout.text(`iteration ${moment}: ${values.map(([run, point]) => `${run} ${figures(point[1])}`).join(", ")}`);
    };
    const nearest = value => d3.scan(moments, (one, other) => Math.abs(one - value) - Math.abs(other - value));
    svg.on("mousemove touchmove", function () { read(nearest(x.invert((d3.event.touches ? d3.touches(this)[0] : d3.mouse(this))[0]))); });
    svg.on("mouseleave blur", () => { cursor.attr("visibility", "hidden"); readout.text(""); });
    svg.on("keydown", () => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[d3.event.key];
      if (step === undefined) return;
      d3.event.preventDefault();
      read(cursor.attr("visibility") === "hidden" ? (step < 0 ? moments.length - 1 : 0) : place + step);
    });
  }

  function scatter() {
    const mapped = data.runs.map((run, own) => ({ ...run.map, own, name: run.name })).filter(run => run.points);
    const first = mapped[0], [width, height] = [900, 560];
    const shown = mapped.filter(run => JSON.stringify(run.data) === JSON.stringify(first.data));
    const real = first.real.map((point, row) => ({ point, label: first.realLabels[row] }));
    const synthetic = shown.flatMap(run => run.points.map((point, row) => ({ point, label: run.labels[row], own: run.own, name: run.name, row })));
    const every = [...real, ...synthetic];
    const x = d3.scaleLinear().domain(d3.extent(every, each => each.point[0])).range([20, width - 20]);
    const y = d3.scaleLinear().domain(d3.extent(every, each => each.point[1])).range([height - 20, 20]);
    const shapes = [d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolStar, d3.symbolCross, d3.symbolWye, d3.symbolCircle, d3.symbolSquare];
    const figure = d3.select("#map-chart");
    const svg = figure.append("svg").attr("viewBox", [0, 0, width, height]).attr("tabindex", 0).attr("role", "img")
      .attr("aria-label", `Map of ${real.length} real and ${synthetic.length} distilled images of ${first.classes.length} classes. Arrow keys go through the distilled images.`);
    const place = each => `translate(${x(each.point[0])},${y(each.point[1])})`;
    const layer = svg.append("g");
    const dots = layer.selectAll("circle").data(real).enter().append("circle").attr("class", each => `real dot${each.label % 10}`).attr("r", 3).attr("transform", place);
    const marks = layer.selectAll("path").data(synthetic).enter().append("path").attr("class", each => `synthetic dot${each.label % 10}`)
      .attr("d", each => d3.symbol().type(shapes[each.own % 8]).size(95)()).attr("transform", place);
    const readout = figure.append("div").attr("class", "readout").attr("aria-live", "polite");
    let picked = -1, wanted = "";
    const read = each => {
      picked = synthetic.indexOf(each);
      marks.classed("picked", other => other === each);
      readout.text(each ? `${each.name}: ${first.classes[each.label]}, image ${each.row + 1} of the set` : "");
    };
    marks.on("mouseenter", read).on("click", read);
    svg.on("mouseleave", () => read(null));
    const zoom = d3.zoom().scaleExtent([0.8, 20]).on("zoom", () => {
      const { x: across, y: down, k } = d3.event.transform;
      layer.attr("transform", `translate(${across},${down}) scale(${k})`);
      dots.attr("r", 3 / k);
      marks.attr("transform", each => `${place(each)} scale(${1 / k})`);
    });
    svg.call(zoom).on("dblclick.zoom", null);
    document.getElementById("map-in").addEventListener("click", () => svg.call(zoom.scaleBy, 1.5));
    document.getElementById("map-out").addEventListener("click", () => svg.call(zoom.scaleBy, 1 / 1.5));
    document.getElementById("map-reset").addEventListener("click", () => svg.call(zoom.transform, d3.zoomIdentity));
    svg.on("keydown", () => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[d3.event.key];
      const zooms = { "+": 1.5, "-": 1 / 1.5 }[d3.event.key];
      if (zooms) svg.call(zoom.scaleBy, zooms);
      if (d3.event.key === "0") svg.call(zoom.transform, d3.zoomIdentity);
      if (!step) return;
      d3.event.preventDefault();
      const candidates = synthetic.filter(each => wanted === "" || each.label === Number(wanted));
      const at = candidates.indexOf(synthetic[picked]);
      read(candidates[(at + step + candidates.length + (at < 0 && step < 0 ? 1 : 0)) % candidates.length]);
    });
    const filter = d3.select("#map-filter");
    filter.selectAll("option.of").data(first.classes).enter().append("option").attr("class", "of").attr("value", (name, label) => label).text(name => name);
    filter.on("change", function () {
      wanted = this.value;
      [dots, marks].forEach(each => each.classed("off", one => wanted !== "" && one.label !== Number(wanted)));
    });
    const legend = d3.select("#map-legend");
    const item = (shape, label, kind) => {
      const entry = legend.append("li");
      entry.append("svg").attr("class", `swatch ${kind}`).attr("width", 14).attr("height", 14).attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true").append("path").attr("d", d3.symbol().type(shape).size(110)());
      entry.append("bdi").text(label);
    };
    item(d3.symbolCircle, "real", "dot9");
    shown.forEach(run => item(shapes[run.own % 8], run.name, "dot9"));
    if (first.classes.length <= 10) first.classes.forEach((name, label) => item(d3.symbolCircle, name, `dot${label}`));
    const held = `The axes hold ${first.explained[0]}% and ${first.explained[1]}% of the variance of the real embeddings of ${first.data[1]}.`;
    document.getElementById("map-note").textContent = held + (shown.length < mapped.length ? " Runs on other data are left out." : "");
  }

  data.curves.forEach(lines);
  if (document.getElementById("map-chart")) scatter();
})();
