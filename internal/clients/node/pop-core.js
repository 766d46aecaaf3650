'use strict';
// @alicloud/pop-core signs with HMAC-SHA1 in the parameters, which it sends in the URL of a GET or in the form of a POST: the
// argument.

const { run } = require('./harness');
const { parameters } = require('./openapi');
const { ecsCases } = require('./ecs-cases');

run((places) => ecsCases(places, parameters(process.argv[2])));
