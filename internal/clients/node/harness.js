'use strict';
// Runs the cases of a client one after the other and prints a line of JSON for each, which the Go test reads:
// {"name", "error"}, and at the end {"done": <cases>}. The scene, which the Go test describes, is on standard input.

const { readFileSync } = require('node:fs');
const { format } = require('node:util');

// Standard output belongs to the lines below.
console.log = console.info = console.warn = (...text) => process.stderr.write(format(...text) + '\n');

const RealDate = Date;

// at has all clocks of this process be so many minutes off while f runs.
async function at(minutes, f) {
  if (!minutes) return f();
  const shift = minutes * 60_000;
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      if (parts.length === 0) super(RealDate.now() + shift);
      else super(...parts);
    }
    static now() { return RealDate.now() + shift; }
  };
  try {
    return await f();
  } finally {
    globalThis.Date = RealDate;
  }
}

// failure is what f is rejected with; that it is not rejected is an error of the case.
async function failure(f) {
  let result;
  try {
    result = await f();
  } catch (error) {
    return error;
  }
  throw new Error('the call succeeded: ' + format(result && (result.body || result.res || result)));
}

// until asks again until the answer is good.
async function until(ask, good) {
  const end = RealDate.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (RealDate.now() > end) throw new Error('not in time; the last answer: ' + format(answer));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// run runs what cases makes of the scene, a list of [name, f].
async function run(cases) {
  const list = cases(JSON.parse(readFileSync(0, 'utf8')));
  const print = (line) => process.stdout.write(JSON.stringify(line) + '\n');
  for (const [name, f] of list) {
    try {
      await f();
      print({ name });
    } catch (error) {
      print({ name, error: format(error) });
    }
  }
  print({ done: list.length });
}

module.exports = { at, failure, run, until };
