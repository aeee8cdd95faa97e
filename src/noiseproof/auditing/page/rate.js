"use strict";

// The share of wrong labels, as noiseproof.auditing.checks.estimate_rate computes and explains it: the page shows the
// numbers that Python does. strata: [{size, checked, wrong, unsure}, …]; null while nothing is decided.
function estimateRate(strata) {
  const sum = (list, value) => list.reduce((total, each) => total + value(each), 0);
  const checks = sum(strata, (h) => h.checked);
  const wrong = sum(strata, (h) => h.wrong);
  const unsure = sum(strata, (h) => h.unsure);
  if (checks === unsure) return null;

  let merged = strata;
  while (merged.length % 2 === 0 && merged.some((h) => h.checked < Math.min(10, h.size))) {
    const pairs = [];
    for (let i = 0; i < merged.length; i += 2) {
      const [a, b] = [merged[i], merged[i + 1]];
      pairs.push({
        size: a.size + b.size,
        checked: a.checked + b.checked,
        wrong: a.wrong + b.wrong,
        unsure: a.unsure + b.unsure,
      });
    }
    merged = pairs;
  }
  const total = sum(merged, (h) => h.size);
  const some = merged.filter((h) => h.checked > h.unsure);
  const rate = sum(some, (h) => (h.size * h.wrong) / (h.checked - h.unsure)) / sum(some, (h) => h.size);

  function least(hits) {
    const spread = merged.filter((h) => hits(h) > 0 && hits(h) < h.checked && h.checked < h.size).length;
    const fitted = Math.max(spread - 1, 0) / checks;
    const parts = merged.map((h) => {
      const weight = h.size / total;
      const hit = hits(h) / Math.max(h.checked, 1);
      if (h.checked === h.size) return { weight, hit, sample: 0, slope: 0 };
      const sample = (Math.max(h.checked, 1) * (1 - fitted) * Math.max(h.size - 1, 1)) / (h.size - h.checked);
      return { weight, hit, sample, slope: weight / sample };
    });
    const excess = (h, multiplier) => {
      const c = multiplier * h.slope;
      return (1 + c + Math.sqrt((1 - c) ** 2 + 4 * c * (1 - h.hit))) / 2;
    };
    const statistic = (multiplier) =>
      1.8 * sum(parts, (h) => {
        const times = excess(h, multiplier);
        const rest = (1 - h.hit) / Math.max(1 - h.hit / times, 1e-300);
        return h.sample * (h.hit * times ** (2 / 3) + (1 - h.hit) * rest ** (2 / 3) - 1);
      });
    const limit = 1.959963984540054 ** 2;
    let [bottom, top] = [0, 1];
    if (parts.some((h) => h.sample > 0 && h.hit > 0)) {
      while (statistic(top) < limit) [bottom, top] = [top, 2 * top];
      for (let i = 0; i < 40; i++) {
        const middle = (bottom + top) / 2;
        if (statistic(middle) > limit) top = middle;
        else bottom = middle;
      }
    }
    return Math.floor(total * sum(parts, (h) => (h.weight * h.hit) / excess(h, top)) + 1e-6);
  }

  const low = least((h) => h.wrong) / total;
  const high = (total - least((h) => h.checked - h.unsure - h.wrong)) / total;
  return { rate, low, high, checks, wrong, unsure };
}
