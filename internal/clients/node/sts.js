'use strict';
// The calls of STS, by @alicloud/sts20150401 (ACS3-HMAC-SHA256) and by @alicloud/pop-core (HMAC-SHA1 in the parameters). What
// STS issues is then used with ECS.

const assert = require('node:assert/strict');
const { run } = require('./harness');
const { checked, model, parameters, refused, strangers, troubles } = require('./openapi');

const clients = {
  sts20150401: [model(require('@alicloud/sts20150401')), model(require('@alicloud/ecs20140526'))],
  'pop-core GET': [parameters('GET'), parameters('GET')],
  'pop-core POST': [parameters('POST'), parameters('POST')],
};

const account = '1234567890123456';
const role = { RoleArn: `acs:ram::${account}:role/ferry`, RoleSessionName: 'somebody@example.com' };
const noPermission = [403, 'NoPermission', 'You are not authorized to do this action. You should be authorized by RAM.'];
const noRole = [404, 'EntityNotExist.Role', 'The specified Role not exists.'];
const duration = [400, 'InvalidParameter.DurationSeconds', 'The Min/Max value of DurationSeconds is 15min/1hr.'];
const malformed = (name) => [400, `InvalidParameter.${name}`, `The parameter ${name} is wrongly formed.`];

run(({ main, throttled, busy, broken }) => Object.entries(clients).flatMap(([client, [dial, dialECS]]) => {
  const cases = [];
  const add = (name, f) => cases.push([`${client}/${name}`, f]);
  const as = (key) => dial(main, 'sts', key);
  const refuses = (name, place, key, action, params, want, minutes) =>
    add(name, () => refused(dial(place, 'sts', key), action, params, want, { product: 'Sts', host: place.sts, minutes }));

  for (const [action, params] of [['AssumeRole', role], ['GetCallerIdentity', {}]]) {
    for (const [name, key, minutes, want] of strangers(main.keys)) refuses(`${action}/${name}`, main, key, action, params, want, minutes);
    for (const [name, place, want] of troubles({ throttled, busy, broken })) refuses(`${action}/${name}`, place, place.keys.admin, action, params, want);
  }
  for (const [name, params, want] of [
    ['no role', { RoleSessionName: 'me' }, [400, 'MissingParameter']],
    ['no session name', { RoleArn: role.RoleArn }, [400, 'MissingParameter']],
    ['malformed role', { ...role, RoleArn: 'ferry' }, malformed('RoleArn')],
    ['role of no account', { ...role, RoleArn: 'acs:ram::123:role/ferry' }, malformed('RoleArn')],
    ['short session name', { ...role, RoleSessionName: 'x' }, malformed('RoleSessionName')],
    ['odd session name', { ...role, RoleSessionName: 'a b' }, malformed('RoleSessionName')],
    ['long session name', { ...role, RoleSessionName: 'a'.repeat(65) }, malformed('RoleSessionName')],
    ['short duration', { ...role, DurationSeconds: 899 }, duration],
    ['long duration', { ...role, DurationSeconds: 3601 }, duration],
    ['no such role', { ...role, RoleArn: `acs:ram::${account}:role/none` }, noRole],
    ['role of another account', { ...role, RoleArn: 'acs:ram::9876543210987654:role/ferry' }, noRole],
    ['role for a service', { ...role, RoleArn: `acs:ram::${account}:role/closed` }, noPermission],
  ]) refuses(`AssumeRole/${name}`, main, main.keys.admin, 'AssumeRole', params, want);
  refuses('AssumeRole/no permission', main, main.keys.nobody, 'AssumeRole', role, noPermission);

  for (const [name, key, params, seconds] of [
    ['a user', 'admin', role, 3600],
    ['a role', 'session', role, 3600],
    ['shortly', 'admin', { ...role, DurationSeconds: 900 }, 900],
  ]) {
    add(`AssumeRole/success: ${name}`, async () => {
      const began = Date.now();
      const { AssumedRoleUser: user, Credentials: issued } = await checked(as(main.keys[key]), 'AssumeRole', params);
      const arn = `acs:ram::${account}:assumed-role/ferry/somebody@example.com`;
      assert.equal(user.Arn, arn);
      assert.match(user.AssumedRoleId, /^\d+:somebody@example\.com$/);
      assert.match(issued.AccessKeyId, /^STS\./);
      assert.match(issued.Expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      const left = (Date.parse(issued.Expiration) - began) / 1000;
      assert.ok(left > seconds - 5 && left < seconds + 5, `${left} seconds`);

      const keys = { id: issued.AccessKeyId, secret: issued.AccessKeySecret, token: issued.SecurityToken };
      const me = await checked(as(keys), 'GetCallerIdentity', {});
      assert.deepEqual([me.IdentityType, me.AccountId, me.Arn, me.PrincipalId], ['AssumedRoleUser', account, arn, user.AssumedRoleId]);
      assert.equal(me.RoleId, user.AssumedRoleId.split(':')[0]);
      const images = await checked(dialECS(main, 'ecs', keys), 'DescribeImages', { RegionId: main.region, ImageId: 'm-plain' });
      assert.equal(images.TotalCount, 1);
      await refused(dialECS(main, 'ecs', { ...keys, token: undefined }), 'DescribeImages', { RegionId: main.region },
        [404, 'InvalidAccessKeyId.NotFound'], { product: 'Ecs', host: main.ecs });
    });
  }
  for (const [key, arn] of [['admin', 'user/administrator'], ['nobody', 'user/nobody']]) {
    add(`GetCallerIdentity/${key}`, async () => {
      const me = await checked(as(main.keys[key]), 'GetCallerIdentity', {});
      assert.deepEqual([me.IdentityType, me.AccountId, me.Arn, me.RoleId], ['RAMUser', account, `acs:ram::${account}:${arn}`, undefined]);
      assert.match(me.UserId, /^\d+$/);
      assert.equal(me.PrincipalId, me.UserId);
    });
  }
  return cases;
}));
