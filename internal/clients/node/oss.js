'use strict';
// What the cases of OSS share.

const assert = require('node:assert/strict');
const { at, failure } = require('./harness');

const requestId = /^[0-9A-F]{24}$/;
const accountId = '1234567890123456';
const noBucket = [404, 'NoSuchBucket', 'The specified bucket does not exist.', '0015-00000101'];
const noKey = [404, 'NoSuchKey', 'The specified key does not exist.', '0026-00000001'];
const exists = [409, 'FileAlreadyExists', 'The object you specified already exists and can not be overwritten.', '0026-00000002'];
const elsewhere = [403, 'AccessDenied', 'The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.'];

// strangers are the ways in which a request is not let in: [name, key, minutes, [status, code, message]].
const strangers = (keys) => [
  ['wrong key', keys.stranger, 0, [403, 'InvalidAccessKeyId', 'The OSS Access Key Id you provided does not exist in our records.']],
  ['wrong secret', keys.typo, 0, [403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match the signature you provided. Check your key and signing method.']],
  ['no token', { ...keys.session, token: undefined }, 0, [403, 'InvalidAccessKeyId']],
  ['malformed token', { ...keys.session, token: 'CAIS+made/up==' }, 0, [403, 'InvalidSecurityToken', 'The security token you provided is invalid.']],
  ['token of another key', { ...keys.session, token: keys.other.token }, 0,
    [403, 'AccessKeyIdAndSecurityTokenNotMatch', 'The OSS access key id and security token you provided does not match.']],
  ['expired token', keys.expired, 0, [403, 'SecurityTokenExpired', 'The security token you provided has expired.']],
  ['slow clock', keys.admin, -16, [403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.']],
  ['fast clock', keys.admin, 16, [403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.']],
];

// refused expects [status, code, message?, ec?] of f.
async function refused(f, [status, code, message, ec], { host, minutes = 0 }) {
  const error = await at(minutes, () => failure(f));
  assert.deepEqual([error.status, error.code], [status, code], error.stack);
  assert.match(error.requestId, requestId);
  if (error.code === 'NoSuchKey' && error.message === 'Object not exists') return; // made up by the client, after HEAD
  assert.equal(error.name, `${code}Error`);
  if (message) assert.equal(error.message, message);
  assert.equal(error.hostId, host);
  if (ec) assert.equal(error.ecCode, ec);
}

module.exports = { accountId, elsewhere, exists, noBucket, noKey, refused, requestId, strangers };
