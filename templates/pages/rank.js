"use strict";
// Ranks the platforms anew when a weight moves: the arithmetic of opdeploy/advisor/scoring.py, exact as there, and the
// order by cost within a tie.
const { criteria, weights, platforms, tie_band: tieBand } = JSON.parse(document.getElementById("ranking").textContent);
const current = [...weights];
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0n);
// Python rounds halves to even.
const points = new Intl.NumberFormat("en", { maximumFractionDigits: 0, roundingMode: "halfEven" });

/** Write doubles as whole numbers over one power of two, which they are. */
function exact(numbers) {
  const parts = numbers.map((number) => {
    let shift = 0;
    for (; !Number.isInteger(number); shift += 1) number *= 2;
    return [BigInt(number), shift];
  });
  const most = Math.max(...parts.map(([, shift]) => shift));
  return parts.map(([whole, shift]) => whole << BigInt(most - shift));
}

/** Order by cost; what is not known whole comes last. */
const byCost = (a, b) => (a.usd === b.usd ? 0 : a.usd === null ? 1 : b.usd === null ? -1 : a.usd - b.usd);

/** Return the platforms by score, best first, and by id where scores are equal; those in a tie by cost. */
function ranked() {
  const exactly = exact(current);
  const total = sum(exactly);
  const rows = platforms.map(({ id, hundredths, usd }) => {
    const product = sum(hundredths.map((rating, at) => BigInt(rating) * exactly[at]));
    return { id, usd, product, score: Number((product << 64n) / total) / 2 ** 64 };
  });
  rows.sort((a, b) => (a.product === b.product ? (a.id < b.id ? -1 : 1) : a.product > b.product ? -1 : 1));
  for (const row of rows) row.tie = rows[0].product - row.product <= BigInt(tieBand) * total;
  rows[0].tie = Boolean(rows[1]?.tie);
  // The sort is stable: where costs do not decide, the score does.
  return [...rows.filter((row) => row.tie).sort(byCost), ...rows.filter((row) => !row.tie)];
}

function show() {
  const rows = ranked();
  const body = document.getElementById("ranked");
  rows.forEach(({ id, score, tie }, at) => {
    const row = body.querySelector(`[data-platform="${id}"]`);
    row.className = at === 0 ? "lead" : "";
    row.dataset.score = score; // the exact one, for who reads the page by program
    row.querySelector(".rank").textContent = at + 1;
    row.querySelector(".score").textContent = (tie ? "=" : "") + points.format(score);
    body.append(row);
  });
  const others = rows.slice(1).filter((row) => row.tie).map((row) => row.id);
  const text = rows[0].id + (others.length ? `, in a tie with ${others.join(", ")}` : "");
  document.getElementById("lead").textContent = `Leads: ${text}`;
  const moved = current.some((weight, at) => weight !== weights[at]);
  document.getElementById("keep").hidden = !moved;
  const given = criteria.map((criterion, at) => `${criterion}: ${current[at]}`);
  document.getElementById("priorities").textContent = `priorities: {${given.join(", ")}}`;
}

const sliders = [...document.querySelectorAll("input[data-criterion]")];
const figures = sliders.map((slider) => document.querySelector(`[data-weight="${slider.dataset.criterion}"]`));
const written = figures.map((figure) => figure.textContent);

/** Show a weight in words: a slider knows tenths only. */
function write(at, weight) {
  figures[at].textContent = weight;
  sliders[at].setAttribute("aria-valuetext", weight);
}

sliders.forEach((slider, at) => {
  slider.hidden = false;
  slider.addEventListener("input", () => {
    current[at] = Number(slider.value);
    write(at, slider.value);
    show();
  });
});
document.getElementById("reset").addEventListener("click", () => {
  sliders.forEach((slider, at) => {
    current[at] = weights[at];
    slider.value = weights[at];
    write(at, written[at]);
  });
  show();
});
document.getElementById("how").hidden = false;
show();
