module.exports = { __esModule: true, default: (/** @type {number} */ n) => -n };
