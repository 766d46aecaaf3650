// Prints a ROS template as JSON in which the parameters that are numbers or lists have their defaults, for a checker that takes
// every reference for text: node fill-numbers.js TEMPLATE (needs npm js-yaml).
const fs = require('fs');
const template = require('js-yaml').load(fs.readFileSync(process.argv[2], 'utf8'));
const fill = (value) => {
  if (value === null || typeof value !== 'object') return value;
  const parameter = template.Parameters[value.Ref];
  if (parameter && parameter.Type === 'Number') return parameter.Default;
  if (parameter && parameter.Type === 'CommaDelimitedList') return parameter.Default.split(',');
  for (const key of Object.keys(value)) value[key] = fill(value[key]);
  return value;
};
fill(template.Resources);
process.stdout.write(JSON.stringify(template));
