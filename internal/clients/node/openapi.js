'use strict';
// What the cases of ECS and STS share, whichever client makes the calls.
//
// A client is a function dial(place, service, key) that returns call(action, params), with the names of the API on both
// sides. The call resolves to {status, headers, body}, and is rejected with {status, headers, body}, too, where the platform
// refuses; everything else is an error of the client.

const assert = require('node:assert/strict');
const { at, failure } = require('./harness');

const requestId = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/;

// checked makes a call and holds its answer to what every answer has.
async function checked(call, action, params) {
  const { status, headers, body } = await call(action, params);
  assert.equal(status, 200);
  assert.match(body.RequestId, requestId);
  assert.equal(headers['x-acs-request-id'], body.RequestId);
  assert.match(headers['x-acs-trace-id'], /^[0-9a-f]{32}$/);
  assert.equal(headers['content-type'], 'application/json;charset=utf-8');
  assert.ok(headers.date);
  return body;
}

// refused expects [status, code, message?] of a call, and holds the error to what every error has.
async function refused(call, action, params, [status, code, message], { product, host, minutes = 0 }) {
  const error = await at(minutes, () => failure(() => call(action, params)));
  if (!error.body) throw error;
  const { body, headers } = error;
  assert.deepEqual({ status: error.status, code: body.Code }, { status, code });
  if (message instanceof RegExp) assert.match(body.Message, message);
  else if (message) assert.equal(body.Message, message);
  else assert.ok(body.Message);
  assert.match(body.RequestId, requestId);
  assert.equal(body.HostId, host);
  assert.equal(body.Recommend, `https://api.aliyun.com/troubleshoot?q=${code}&product=${product}&requestId=${body.RequestId}`);
  if (headers) assert.equal(headers['x-acs-request-id'], body.RequestId);
}

// strangers are the ways in which a request is not let in: [name, key, minutes, [status, code, message]].
const strangers = (keys) => [
  ['wrong key', keys.stranger, 0, [404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.']],
  ['wrong secret', keys.typo, 0, [400, 'SignatureDoesNotMatch', /^Specified signature is not matched with our calculation\./]],
  ['no token', { ...keys.session, token: undefined }, 0, [404, 'InvalidAccessKeyId.NotFound', 'Specified access key is not found.']],
  ['malformed token', { ...keys.session, token: 'CAIS+made/up==' }, 0, [400, 'InvalidSecurityToken.Malformed', 'Specified SecurityToken is malformed.']],
  ['token of another key', { ...keys.session, token: keys.other.token }, 0,
    [400, 'InvalidSecurityToken.MismatchWithAccessKey', 'Specified SecurityToken mismatch with the AccessKey.']],
  ['token with a long-term key', { ...keys.admin, token: keys.other.token }, 0,
    [400, 'InvalidSecurityToken.MismatchWithAccessKey', 'Specified SecurityToken mismatch with the AccessKey.']],
  ['expired token', keys.expired, 0, [400, 'InvalidSecurityToken.Expired', 'Specified SecurityToken is expired.']],
  ['slow clock', keys.admin, -16, [400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.']],
  ['fast clock', keys.admin, 16, [400, 'InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.']],
];

// troubles are places that refuse everything: [name, place, [status, code, message]].
const troubles = (places) => [
  ['throttled', places.throttled, [400, 'Throttling.User', 'Request was denied due to user flow control.']],
  ['unavailable', places.busy, [503, 'ServiceUnavailable', 'The request has failed due to a temporary failure of the server.']],
  ['internal error', places.broken, [500, 'InternalError', 'The request processing has failed due to some unknown error.']],
];

// model is a client of the newer kind (ACS3-HMAC-SHA256, one class for each request), which knows the API's own names.
function model(sdk) {
  const $OpenApi = require('@alicloud/openapi-core').$OpenApiUtil;
  const { RuntimeOptions } = require('@darabonba/typescript');
  return (place, service, key) => {
    const client = new sdk.default(new $OpenApi.Config({
      accessKeyId: key.id, accessKeySecret: key.secret, securityToken: key.token,
      endpoint: place[service], protocol: 'HTTP', regionId: place.region,
    }));
    return async (action, params) => {
      const method = `${action[0].toLowerCase()}${action.slice(1)}WithOptions`;
      const Request = sdk[`${action}Request`];
      const runtime = new RuntimeOptions({});
      let answer;
      try {
        answer = Request ? await client[method](new Request(fields(Request, params)), runtime) : await client[method](runtime);
      } catch (error) {
        if (error.data && error.statusCode) throw told(error);
        throw error;
      }
      typed(answer.body, answer.constructor.types().body, action);
      return { status: answer.statusCode, headers: answer.headers, body: answer.body.toMap() };
    };
  };
}

// untyped are the fields in which the platform's own documents contradict the client's types: the sample of
// DescribeTaskAttribute has a truth value where the client expects a text.
const untyped = ['DescribeTaskAttribute.supportCancel'];

// typed holds a value to the type that the client declares for it, which the client itself only does for objects and lists.
function typed(value, type, path) {
  if (value === undefined || value === null || untyped.includes(path)) return;
  if (typeof type === 'function') {
    for (const [property, of] of Object.entries(type.types())) typed(value[property], of, `${path}.${property}`);
  } else if (type.type === 'array') {
    for (const item of value) typed(item, type.itemType, `${path}[]`);
  } else {
    assert.equal(typeof value, type, path);
  }
}

// fields translates the names of the API into the properties of a class; a name that the class lacks is an error.
function fields(Request, params) {
  const properties = new Map(Object.entries(Request.names()).map(([property, name]) => [name, property]));
  const types = Request.types();
  const values = {};
  for (const [name, value] of Object.entries(params)) {
    const property = properties.get(name);
    assert.ok(property, `${Request.name} has no ${name}`);
    const item = types[property].itemType;
    values[property] = typeof item === 'function' ? value.map((v) => new item(fields(item, v))) : value;
  }
  return values;
}

// told turns an error of that client into the platform's answer, after a look at what the client made of it.
function told(error) {
  const { data, statusCode } = error;
  assert.equal(error.code, data.Code);
  assert.equal(error.requestId, data.RequestId);
  assert.equal(error.message, `${data.Code}: code: ${statusCode}, ${data.Message} request id: ${data.RequestId}`);
  const names = { Throttling: 'ThrottlingError' };
  assert.equal(error.name, names[data.Code.split('.')[0]] || (statusCode < 500 ? 'ClientError' : 'ServerError'));
  return { status: statusCode, body: data };
}

// parameters is a client of the older kind (HMAC-SHA1 in the parameters), by GET or in the form body of a POST.
function parameters(method) {
  const { RPCClient } = require('@alicloud/pop-core');
  const versions = { ecs: '2014-05-26', sts: '2015-04-01' };
  return (place, service, key) => {
    const client = new RPCClient({
      endpoint: `http://${place[service]}`, apiVersion: versions[service],
      accessKeyId: key.id, accessKeySecret: key.secret, securityToken: key.token,
    }, true);
    return async (action, params) => {
      let body, entry;
      try {
        [body, entry] = await client.request(action, params, { method });
      } catch (error) {
        if (!error.data || !error.entry) throw error;
        assert.equal(error.code, error.data.Code);
        throw { status: error.entry.response.statusCode, headers: error.entry.response.headers, body: error.data };
      }
      return { status: entry.response.statusCode, headers: entry.response.headers, body };
    };
  };
}

module.exports = { checked, model, parameters, refused, strangers, troubles };
