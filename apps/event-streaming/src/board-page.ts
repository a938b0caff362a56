/** The page of the board: text alone, so that nothing in an event can be more than that. */

export const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Departures</title>
<link rel="stylesheet" href="/board.css">
<h1>Departures</h1>
<p id="summary">Waiting for the first one.</p>
<table>
<thead><tr><th>airport<th><th>departures<th>late<th>on time in a row<th>at best<th>last</tr></thead>
<tbody id="airports"></tbody>
</table>
<script src="/board.js"></script>
</html>
`;

export const PAGE_STYLE = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; opacity: .7; }
th, td { padding: .15rem .8rem .15rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
td:nth-child(n+3):nth-child(-n+6), th:nth-child(n+3):nth-child(-n+6) { text-align: right; }
td:first-child { font-weight: 700; }
td:last-child { white-space: nowrap; }
.late { color: light-dark(#b3261e, #ff8a80); }
`;

export const PAGE_SCRIPT = `
const states = new Map();
const body = document.getElementById('airports');
const summary = document.getElementById('summary');
const changes = new EventSource('/changes');
changes.onmessage = ({ data }) => {
  for (const [airport, name, state] of JSON.parse(data)) states.set(airport, { name, ...state });
  draw();
};
changes.onerror = () => {
  changes.close();
  summary.textContent += ' The run has ended.';
};
function draw() {
  const rows = [...states].sort(([, a], [, b]) => b.seq - a.seq);
  const sum = (what) => rows.reduce((total, [, state]) => total + state[what], 0);
  const all = sum('seq');
  summary.textContent = all.toLocaleString('en') + ' departures of ' + rows.length + ' airports, '
    + Math.round((100 * sum('late')) / Math.max(1, all)) + ' % late.';
  body.replaceChildren(...rows.slice(0, 30).map(([airport, { name, seq, late, onTime, longestOnTime, last }]) => {
    const row = document.createElement('tr');
    const sign = last.delay > 0 ? '+' : '';
    const cells = [airport, name, seq, late, onTime, longestOnTime,
      last.at.replace('T', ' ') + ' to ' + last.to + ', ' + sign + last.delay + ' min'];
    for (const [index, text] of cells.entries()) {
      const cell = document.createElement('td');
      cell.textContent = text;
      if (index === 6 && last.delay >= 15) cell.className = 'late';
      row.append(cell);
    }
    return row;
  }));
}
`;
