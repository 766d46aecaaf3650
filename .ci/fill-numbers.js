// Prints a ROS template or an s.yaml as JSON in which the parameters or vars that are numbers or lists have their values, for checkers
// that take every reference for text: node fill-numbers.js FILE (needs npm js-yaml).
const fs = require('fs');
const file = require('js-yaml').load(fs.readFileSync(process.argv[2], 'utf8'));
const known = (value) => {
  const parameter = (file.Parameters || {})[value.Ref];
  if (parameter && parameter.Type === 'Number') return parameter.Default;
  if (parameter && parameter.Type === 'CommaDelimitedList') return parameter.Default.split(',');
  const name = typeof value === 'string' && (/^\$\{vars\.(\w+)\}$/.exec(value) || [])[1];
  if (name && typeof file.vars[name] === 'number') return file.vars[name];
};
const fill = (value) => {
  if (value === null || value === undefined) return value;
  const number = known(value);
  if (number !== undefined) return number;
  if (typeof value === 'object') for (const key of Object.keys(value)) value[key] = fill(value[key]);
  return value;
};
fill(file.Resources || file.resources);
process.stdout.write(JSON.stringify(file));
