// The desk's own script: times in the reader's zone, charts that follow the figures, a notice when the desk is away.
(function () {
  "use strict";

  var TICK_MS = 2000;
  var zone = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  var zoneDay = new Intl.DateTimeFormat([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  var DAY_MS = 86400000;

  function localise(root) {
    root.querySelectorAll("time[datetime]").forEach(function (element) {
      var moment = new Date(element.dateTime);
      if (isNaN(moment) || element.dataset.local) { return; }
      element.title = moment.toISOString().replace("T", " ").replace(/\.\d+Z$/, "") + " UTC";
      var isNear = Math.abs(Date.now() - moment) < DAY_MS / 2;
      element.textContent = (isNear ? zone : zoneDay).format(moment);
      element.dataset.local = "yes";
    });
  }

  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function axis(extra) {
    return Object.assign({
      stroke: colour("--soft"), font: "11px Inter, system-ui, sans-serif",
      grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--grid"), width: 1, size: 4 },
    }, extra);
  }

  var hours = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  var days = new Intl.DateTimeFormat([], { day: "numeric", month: "short" });

  function clock(u, ticks, place, space, step) {
    var form = step < 60 ? zone : step < 86400 ? hours : days;
    return ticks.map(function (tick) { return form.format(new Date(tick * 1000)); });
  }

  function number(value, digits) {
    return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  }

  function stepped(label, stroke, extra) {
    return Object.assign({
      label: label, stroke: stroke, width: 1.6, points: { show: false }, spanGaps: false, paths: uPlot.paths.stepped({ align: 1 }),
    }, extra);
  }

  // A picture is one uPlot that is made anew when its kind of data changes and fed new data otherwise.
  function Picture(host, shape) {
    this.host = host; this.shape = shape; this.plot = null; this.kind = null; this.last = null;
  }
  Picture.prototype.size = function () {
    return { width: Math.max(200, this.host.clientWidth - 10), height: this.host.classList.contains("low") ? 130 : 240 };
  };
  Picture.prototype.draw = function (series) {
    this.last = series;
    if (!series || series.times.length < 2) { this.clear(); return; }
    this.host.hidden = false;
    var kind = series.kind + "/" + series.digits;
    if (this.plot && this.kind === kind) { this.plot.setData(this.shape.data(series)); return; }
    this.clear();
    this.host.hidden = false;
    this.kind = kind;
    this.plot = new uPlot(Object.assign(this.size(), this.shape.options(series)), this.shape.data(series), this.host);
  };
  Picture.prototype.clear = function () {
    if (this.plot) { this.plot.destroy(); this.plot = null; }
    this.host.hidden = true;
  };
  Picture.prototype.restyle = function () { this.kind = null; this.draw(this.last); };
  Picture.prototype.resize = function () { if (this.plot) { this.plot.setSize(this.size()); } };

  var forecastShape = {
    data: function (s) { return [s.times, s.high, s.low, s.price, s.model, s.final]; },
    options: function (s) {
      var probability = s.kind === "probability";
      return {
        cursor: { y: false },
        scales: { y: probability ? { range: function (u, lo, hi) { return [Math.max(0, lo - 0.04), Math.min(1, hi + 0.04)]; } } : {} },
        axes: [axis({ space: 76, values: clock }), axis({ size: 58, values: function (u, ticks) { return ticks.map(function (t) { return number(t, probability ? 2 : s.digits); }); } })],
        bands: [{ series: [1, 2], fill: colour("--accent-wash") }],
        series: [
          {},
          stepped("high", "transparent", { width: 0 }), stepped("low", "transparent", { width: 0 }),
          // Wide and pale beneath: while the model has no proved value the forecast is the price, and both must be seen.
          stepped("price", colour("--line-strong"), { width: 5 }),
          stepped("model", colour("--second"), { dash: [5, 4], width: 1.4 }),
          stepped("forecast", colour("--accent"), { width: 1.8 }),
        ],
      };
    },
  };

  var equityShape = {
    data: function (s) { return [s.times, s.values]; },
    options: function (s) {
      return {
        cursor: { y: false },
        axes: [axis({ space: 76, values: clock }), axis({ size: 78, values: function (u, ticks) { return ticks.map(function (t) { return number(t, s.digits); }); } })],
        series: [{}, stepped("equity", colour("--accent"), { width: 1.8 })],
      };
    },
  };

  var pictures = [];

  function picture(id, shape, address) {
    var host = document.getElementById(id);
    if (!host || !window.uPlot) { return; }
    var entry = { drawn: new Picture(host, shape), busy: false, shown: null };
    // Another market was chosen, so what is drawn belongs to the last one.
    entry.follow = function () {
      if (address(host) !== entry.shown) { entry.drawn.clear(); entry.busy = false; entry.load(); }
    };
    entry.load = function () {
      var where = address(host);
      if (!where || entry.busy) { return; }
      entry.busy = true;
      entry.shown = where;
      fetch(where, { headers: { Accept: "application/json" }, credentials: "same-origin" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .then(function (series) { if (series && where === entry.shown) { entry.drawn.draw(series); } })
        .catch(function () { return null; })
        .finally(function () { entry.busy = false; });
    };
    pictures.push(entry);
    entry.load();
  }

  function away(isAway) {
    var notice = document.getElementById("away");
    if (notice) { notice.hidden = !isAway; }
  }

  document.addEventListener("DOMContentLoaded", function () {
    localise(document);
    picture("chart", forecastShape, function () {
      var head = document.getElementById("focus");
      return head && head.dataset.series;
    });
    picture("equity", equityShape, function (host) { return host.dataset.series; });
    setInterval(function () {
      if (!document.hidden) { pictures.forEach(function (entry) { entry.load(); }); }
    }, TICK_MS);
    window.addEventListener("resize", function () { pictures.forEach(function (entry) { entry.drawn.resize(); }); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
      pictures.forEach(function (entry) { entry.drawn.restyle(); });
    });

    document.body.addEventListener("htmx:beforeRequest", function (event) { if (document.hidden) { event.preventDefault(); } });
    document.body.addEventListener("htmx:oobAfterSwap", function (event) {
      localise(event.detail.elt || document);
      pictures.forEach(function (entry) { entry.follow(); });
    });
    document.body.addEventListener("htmx:afterRequest", function (event) { if (event.detail.successful) { away(false); } });
    ["htmx:sendError", "htmx:responseError", "htmx:timeout"].forEach(function (name) {
      document.body.addEventListener(name, function () { away(true); });
    });
  });
})();
