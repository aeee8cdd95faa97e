// A stand-in: Wilson's interval for all checks as one sample.
"use strict";

function estimateRate(strata) {
  const sum = name => strata.reduce((total, stratum) => total + stratum[name], 0);
  const checks = sum("checked"), wrong = sum("wrong"), unsure = sum("unsure");
  const end = (count, side) => {
    const z2 = 1.96 ** 2, p = count / checks;
    return (p + z2 / (2 * checks) + side * 1.96 * Math.sqrt((p * (1 - p) + z2 / (4 * checks)) / checks)) / (1 + z2 / checks);
  };
  return checks ? { rate: wrong / checks, low: end(wrong, -1), high: end(wrong + unsure, 1), checks, wrong, unsure } : null;
}
