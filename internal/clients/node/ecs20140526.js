'use strict';
// @alicloud/ecs20140526 signs with ACS3-HMAC-SHA256 in the headers, and has a class for each request and answer.

const { run } = require('./harness');
const { model } = require('./openapi');
const { ecsCases } = require('./ecs-cases');

run((places) => ecsCases(places, model(require('@alicloud/ecs20140526')), {
  unable: ['ExportImage/the API of 2017'], // it has no class for that
}));
