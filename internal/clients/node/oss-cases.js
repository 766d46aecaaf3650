'use strict';
// The calls of OSS that the project relies on, by ali-oss.

const assert = require('node:assert/strict');
const { createHash } = require('node:crypto');
const { Readable } = require('node:stream');
const { at } = require('./harness');
const { accountId, elsewhere, exists, noBucket, noKey, refused, requestId, strangers } = require('./oss');

// calls are what is called, of a client for a bucket; [name, f, is a HEAD].
const calls = [
  ['getBucketInfo', (c) => c.getBucketInfo(c.options.bucket)],
  ['getBucketLocation', (c) => c.getBucketLocation(c.options.bucket)],
  ['getBucketWorm', (c) => c.getBucketWorm(c.options.bucket)],
  ['listV2', (c) => c.listV2({ prefix: 'a/', 'max-keys': 2, 'start-after': 'a/0' })],
  ['put', (c) => c.put('never/put', Buffer.from('x'))],
  ['append', (c) => c.append('never/appended', Buffer.from('x'))],
  ['get', (c) => c.get('fixed/object.txt')],
  ['head', (c) => c.head('fixed/object.txt'), true],
  ['getObjectMeta', (c) => c.getObjectMeta('fixed/object.txt'), true],
  ['delete', (c) => c.delete('never/deleted')],
  ['copy', (c) => c.copy('never/copied', 'fixed/object.txt')],
  ['initMultipartUpload', (c) => c.initMultipartUpload('never/begun')],
  ['listUploads', (c) => c.listUploads({ 'max-uploads': 2 })],
];

function ossCases(places, { dial, fetch, version }) {
  const cases = [];
  const add = (name, f) => cases.push([name, f]);
  const main = places.main;
  const on = (bucket, key = 'admin', options) => dial(main, main.keys[key], bucket, options);
  const host = (bucket) => `${bucket}.oss-${main.region}.aliyuncs.com`;
  const images = on('ferry-images');
  const refuses = (name, bucket, f, want, more = {}) =>
    add(name, () => refused(() => f(on(bucket, more.key, more.options)), want, { host: more.host || host(bucket), minutes: more.minutes }));

  for (const [name, f, head] of calls) {
    for (const [what, key, minutes, want] of strangers(main.keys)) {
      add(`${name}/${what}`, () => refused(() => f(dial(main, key, 'ferry-images')), want, { host: host('ferry-images'), minutes }));
    }
    for (const [what, place, want] of [['unavailable', places.busy, [503, 'ServiceUnavailable']], ['internal error', places.broken, [500, 'InternalError']]]) {
      add(`${name}/${what}`, () => refused(() => f(dial(place, place.keys.admin, 'ferry-images')), want, { host: host('ferry-images') }));
    }
    refuses(`${name}/no permission`, 'ferry-images', f, [403, 'AccessDenied'], { key: 'nobody' });
    refuses(`${name}/bucket of another account`, 'ferry-foreign', f, [403, 'AccessDenied']);
    refuses(`${name}/no such bucket`, 'ferry-none', f, head ? [404, 'NoSuchKey'] : noBucket);
    if (version === 'V4') {
      refuses(`${name}/signed for another region`, 'ferry-images', f, [400, 'InvalidArgument', 'Invalid signing region in Authorization header.', '0002-00000226'],
        { options: { region: 'oss-cn-beijing' } });
    }
    if (name === 'getBucketInfo' || name === 'getBucketLocation') continue; // any endpoint answers those
    refuses(`${name}/bucket of another region`, 'ferry-elsewhere', f, elsewhere);
    refuses(`${name}/endpoint of another region`, 'ferry-images', f, elsewhere,
      { options: { endpoint: 'http://oss-cn-beijing.aliyuncs.com' }, host: 'ferry-images.oss-cn-beijing.aliyuncs.com' });
  }
  refuses('path style on a host name', 'ferry-images', (c) => c.get('fixed/object.txt'),
    [403, 'SecondLevelDomainForbidden', 'The bucket you are attempting to access must be addressed using OSS third level domain.'],
    { options: { sldEnable: true }, host: 'oss-cn-hangzhou.aliyuncs.com' });

  addBucketCalls();
  addWrites();
  addReads();
  addListings();
  addURLs();
  return cases;

  function addBucketCalls() {
    for (const [bucket, want] of Object.entries({
      'ferry-images': {}, 'ferry-versioned': { Versioning: 'Enabled' }, 'ferry-suspended': { Versioning: 'Suspended' },
      'ferry-encrypted': { sse: 'AES256' }, 'ferry-archive': { StorageClass: 'Archive' }, 'ferry-open': { acl: 'public-read' },
      'ferry-elsewhere': { region: 'cn-beijing' },
    })) {
      add(`getBucketInfo/${bucket}`, async () => {
        const { bucket: b } = await on(bucket).getBucketInfo(bucket);
        const region = want.region || main.region;
        assert.deepEqual(
          [b.Name, b.Location, b.ExtranetEndpoint, b.IntranetEndpoint, b.StorageClass, b.DataRedundancyType, b.AccessControlList.Grant, b.Versioning, b.Owner.ID, b.ServerSideEncryptionRule.SSEAlgorithm],
          [bucket, `oss-${region}`, `oss-${region}.aliyuncs.com`, `oss-${region}-internal.aliyuncs.com`, want.StorageClass || 'Standard', 'LRS', want.acl || 'private', want.Versioning, accountId, want.sse || 'None']);
        assert.match(b.CreationDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      });
    }
    for (const [bucket, location] of [['ferry-images', 'oss-cn-hangzhou'], ['ferry-elsewhere', 'oss-cn-beijing']]) {
      add(`getBucketLocation/${bucket}`, async () => {
        const { location: got } = await on(bucket, 'session').getBucketLocation(bucket);
        assert.equal(got._ || got, location);
      });
    }
    add('getBucketWorm/success', async () => {
      const worm = await on('ferry-retained').getBucketWorm('ferry-retained');
      assert.deepEqual([worm.state, worm.days], ['Locked', '30']);
    });
    refuses('getBucketWorm/none', 'ferry-images', (c) => c.getBucketWorm('ferry-images'), [404, 'NoSuchWORMConfiguration']);
    add('listBuckets/to the end', async () => {
      const found = [];
      for (let marker; ;) {
        const page = await images.listBuckets({ prefix: 'ferry-', 'max-keys': 4, ...(marker && { marker }) });
        found.push(...page.buckets.map((b) => b.name));
        if (!page.isTruncated) break;
        marker = page.nextMarker;
      }
      assert.equal(found.filter((name) => name !== 'ferry-made-v1' && name !== 'ferry-made-v4').length, 9); // one is another account's
      assert.deepEqual(found, [...found].sort());
    });
    add('putBucket/success', async () => {
      const name = `ferry-made-${version.toLowerCase()}`;
      assert.equal((await on(name).putBucket(name, { acl: 'private', storageClass: 'IA' })).bucket, name);
      assert.equal((await on(name).getBucketInfo(name)).bucket.StorageClass, 'IA');
    });
    refuses('putBucket/taken', 'ferry-foreign', (c) => c.putBucket('ferry-foreign'), [409, 'BucketAlreadyExists']);
  }

  function addWrites() {
    const key = (name) => `${version}/${name}`;
    const forbid = { headers: { 'x-oss-forbid-overwrite': 'true' } };
    add('put/success', async () => {
      const body = Buffer.from('some content');
      const { res } = await images.put(key('put'), body, { meta: { writer: 'ali-oss', number: 7 }, mime: 'application/json', headers: { 'Cache-Control': 'no-store' } });
      const md5 = createHash('md5').update(body).digest();
      assert.deepEqual([res.status, res.headers.etag, res.headers['content-md5']], [200, `"${md5.toString('hex').toUpperCase()}"`, md5.toString('base64')]);
      assert.match(res.headers['x-oss-hash-crc64ecma'], /^\d+$/);
      assert.match(res.headers['x-oss-request-id'], requestId);
      assert.equal(res.headers.server, 'AliyunOSS');
      const { meta, res: head } = await images.head(key('put'));
      assert.deepEqual(meta, { writer: 'ali-oss', number: '7' });
      assert.deepEqual([head.headers['content-type'], head.headers['cache-control'], head.headers['content-length'], head.headers['x-oss-object-type'], head.headers['x-oss-storage-class']],
        ['application/json', 'no-store', '12', 'Normal', 'Standard']);
    });
    add('put/as a stream', async () => {
      await images.put(key('stream'), Readable.from(['one ', 'two ', 'three']));
      assert.equal(String((await images.get(key('stream'))).content), 'one two three');
    });
    add('put/empty', async () => {
      await images.put(key('empty'), Buffer.alloc(0));
      assert.equal((await images.get(key('empty'))).content.length, 0);
    });
    for (const [n, name] of ['plain', 'with space', 'a+b%2B&c=d?e#f', 'ümläut/图像', "it's (a) *star*!", 'a:b;c,d@e$f', 'double//slash', '~tilde/.hidden', 'ends/with/'].entries()) {
      add(`put, get, list and delete ${name}`, async () => {
        const full = key(`names/${n}/${name}`);
        await images.put(full, Buffer.from(name), { meta: { n } });
        assert.equal(String((await images.get(full)).content), name);
        assert.equal((await images.head(full)).meta.n, String(n));
        const { objects } = await images.listV2({ prefix: full, 'encoding-type': 'url' });
        assert.deepEqual(objects.map((o) => decodeURIComponent(o.name)), [full]);
        assert.equal((await images.delete(full)).res.status, 204);
        await refused(() => images.get(full), noKey, { host: host('ferry-images') });
      });
    }
    add('put/forbid overwrite', async () => {
      await images.put(key('once'), Buffer.from('first'), { ...forbid });
      await refused(() => images.put(key('once'), Buffer.from('second'), { ...forbid }), exists, { host: host('ferry-images') });
      assert.equal(String((await images.get(key('once'))).content), 'first');
      await images.put(key('once'), Buffer.from('third'), { headers: { 'x-oss-forbid-overwrite': 'false' } });
      assert.equal(String((await images.get(key('once'))).content), 'third');
    });
    add('put/forbid overwrite, ten at once', async () => {
      const results = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => images.put(key('race'), Buffer.from(String(n)), { ...forbid })));
      assert.equal(results.filter((r) => r.status === 'fulfilled').length, 1);
      for (const { reason } of results.filter((r) => r.status === 'rejected')) assert.deepEqual([reason.status, reason.code], [409, 'FileAlreadyExists']);
    });
    refuses('put/odd forbid overwrite', 'ferry-images', (c) => c.put(key('odd'), Buffer.from('x'), { headers: { 'x-oss-forbid-overwrite': 'yes' } }), [400, 'InvalidArgument', undefined, '0017-00000279']);
    refuses('put/wrong MD5', 'ferry-images', (c) => c.put(key('md5'), Buffer.from('x'), { headers: { 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' } }), [400, 'InvalidDigest', 'The Content-MD5 you specified was invalid.']);
    refuses('put/long key', 'ferry-images', (c) => c.put('k'.repeat(1024), Buffer.from('x')), [400, 'InvalidObjectName']);
    for (const [bucket, id] of [['ferry-versioned', /^.{8,}$/], ['ferry-suspended', /^null$/]]) {
      add(`put/forbid overwrite is ignored on ${bucket}`, async () => {
        const c = on(bucket);
        assert.match((await c.put(key('v'), Buffer.from('1'), { ...forbid })).res.headers['x-oss-version-id'], id);
        assert.match((await c.put(key('v'), Buffer.from('2'), { ...forbid })).res.headers['x-oss-version-id'], id);
        const { content, res } = await c.get(key('v'));
        assert.equal(String(content), '2');
        assert.match(res.headers['x-oss-version-id'], id);
      });
      add(`delete/marker on ${bucket}`, async () => {
        const { res } = await on(bucket).delete(key('v'));
        assert.deepEqual([res.status, res.headers['x-oss-delete-marker']], [204, 'true']);
        await refused(() => on(bucket).get(key('v')), noKey, { host: host(bucket) });
      });
    }
    add('put/encrypted by the bucket', async () => {
      assert.equal((await on('ferry-encrypted').put(key('e'), Buffer.from('1'))).res.headers['x-oss-server-side-encryption'], 'AES256');
    });
    const immutable = [409, 'FileImmutable', 'The object you specified is immutable.'];
    refuses('put/retained', 'ferry-retained', (c) => c.put('fixed/object.txt', Buffer.from('x')), immutable);
    refuses('delete/retained', 'ferry-retained', (c) => c.delete('fixed/object.txt'), immutable);
    add('delete/missing', async () => assert.equal((await images.delete(key('missing'))).res.status, 204));
    add('append/success', async () => {
      assert.equal((await images.append(key('log'), Buffer.from('one'))).nextAppendPosition, '3');
      assert.equal((await images.append(key('log'), Buffer.from('two'), { position: '3' })).nextAppendPosition, '6');
      const { content, res } = await images.get(key('log'));
      assert.deepEqual([String(content), res.headers['x-oss-object-type'], res.headers['x-oss-next-append-position']], ['onetwo', 'Appendable', '6']);
      await refused(() => images.append(key('log'), Buffer.from('x')), [409, 'PositionNotEqualToLength', 'Position is not equal to file length', '0026-00000016'], { host: host('ferry-images') });
    });
    refuses('append/to a normal object', 'ferry-images', (c) => c.append('fixed/object.txt', Buffer.from('x')), [409, 'ObjectNotAppendable']);
    refuses('append/to a normal object at its end', 'ferry-images', (c) => c.append('fixed/object.txt', Buffer.from('x'), { position: '10' }), [409, 'ObjectNotAppendable']);
  }

  function addReads() {
    const name = 'fixed/object.txt'; // 0123456789
    for (const key of ['admin', 'session']) {
      add(`get/${key}`, async () => {
        const { content, res } = await on('ferry-images', key).get(name);
        assert.deepEqual([String(content), res.status, res.headers['accept-ranges'], res.headers['content-length']], ['0123456789', 200, 'bytes', '10']);
        assert.ok(Date.parse(res.headers['last-modified']) > 0);
      });
    }
    add('get/public', async () => assert.equal((await fetch(main, `http://${host('ferry-open')}/${name}`)).body, '0123456789'));
    for (const [range, want, status, content] of [
      ['bytes=0-4', '01234', 206, 'bytes 0-4/10'], ['bytes=3-3', '3', 206, 'bytes 3-3/10'], ['bytes=7-', '789', 206, 'bytes 7-9/10'],
      ['bytes=-2', '89', 206, 'bytes 8-9/10'], ['bytes=5-100', '0123456789', 200], ['bytes=20-', '0123456789', 200], ['bytes=x-y', '0123456789', 200],
    ]) {
      add(`get/${range}`, async () => {
        const { content: got, res } = await images.get(name, { headers: { Range: range } });
        assert.deepEqual([String(got), res.status, res.headers['content-range']], [want, status, content]);
      });
    }
    const standard = (range) => ({ headers: { Range: range, 'x-oss-range-behavior': 'standard' } });
    add('get/standard range beyond the end', async () => assert.equal(String((await images.get(name, standard('bytes=5-100'))).content), '56789'));
    refuses('get/standard range behind the end', 'ferry-images', (c) => c.get(name, standard('bytes=20-')), [416, 'InvalidRange']);
    add('get/If-None-Match', async () => {
      const { res } = await images.head(name);
      assert.equal((await images.get(name, { headers: { 'If-None-Match': res.headers.etag } })).res.status, 304);
    });
    refuses('get/If-Match', 'ferry-images', (c) => c.get(name, { headers: { 'If-Match': '"0"' } }), [412, 'PreconditionFailed']);
    refuses('get/archived', 'ferry-archive', (c) => c.get(name), [403, 'InvalidObjectState', "The operation is not valid for the object's state."]);
    refuses('get/missing', 'ferry-images', (c) => c.get('none'), noKey);
    refuses('head/missing', 'ferry-images', (c) => c.head('none'), noKey);
    refuses('getObjectMeta/missing', 'ferry-images', (c) => c.getObjectMeta('none'), noKey);
    add('getObjectMeta/success', async () => {
      const { res } = await images.getObjectMeta(name);
      assert.deepEqual([res.headers['content-length'], res.headers.etag.length], ['10', 34]);
    });
  }

  function addListings() {
    const listed = on('ferry-listed');
    // all lists to the end, in pages.
    const all = async (query, size) => {
      const names = [], prefixes = [];
      let pages = 0;
      for (let token; ;) {
        const page = await listed.listV2({ ...query, 'max-keys': size, ...(token && { 'continuation-token': token }) });
        assert.equal(page.keyCount, page.objects.length + (page.prefixes || []).length);
        assert.ok(page.keyCount === size || !page.isTruncated);
        assert.equal(page.continuationToken, token || null);
        names.push(...page.objects.map((o) => o.name));
        prefixes.push(...(page.prefixes || []));
        pages++;
        if (!page.isTruncated) {
          assert.equal(page.nextContinuationToken, null);
          return { names, prefixes, pages };
        }
        token = page.nextContinuationToken;
      }
    };
    for (const [name, query, names, prefixes] of [
      ['everything', {}, 126, []], ['prefix', { prefix: 'a/1/' }, 41, []], ['delimiter', { delimiter: '/' }, 1, ['a/', 'c/']],
      ['prefix and delimiter', { prefix: 'a/', delimiter: '/' }, 0, ['a/0/', 'a/1/', 'a/2/']], ['start after', { 'start-after': 'a/2/122.json' }, 3, []],
      ['start after in the middle', { prefix: 'a/0/', 'start-after': 'a/0/060.json' }, 20, []], ['nothing', { prefix: 'z' }, 0, []],
      ['odd prefix', { prefix: 'c/1 +%&?#=ü图' }, 1, []],
    ]) {
      for (const size of [1, 7, 41, 1000]) {
        add(`listV2/${name} in pages of ${size}`, async () => {
          const got = await all(query, size);
          assert.deepEqual([got.names.length, new Set(got.names).size, got.prefixes], [names, names, prefixes]);
          assert.deepEqual(got.names, [...got.names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
          assert.equal(got.pages, Math.max(1, Math.ceil((names + prefixes.length) / size)));
        });
      }
    }
    add('listV2/pages of 100 by default', async () => assert.equal((await listed.listV2({})).keyCount, 100));
    add('listV2/what an object has', async () => {
      const { objects: [o] } = await listed.listV2({ prefix: 'b', 'fetch-owner': 'true' });
      assert.deepEqual([o.name, o.type, o.size, o.storageClass, o.owner.id, o.etag.length], ['b', 'Normal', 6, 'Standard', accountId, 34]);
      assert.match(o.lastModified, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
      assert.equal((await listed.listV2({ prefix: 'b' })).objects[0].owner, null);
    });
    refuses('listV2/pages of 0', 'ferry-listed', (c) => c.listV2({ 'max-keys': '0' }), [400, 'InvalidArgument']);
    refuses('listV2/pages of 1001', 'ferry-listed', (c) => c.listV2({ 'max-keys': 1001 }), [400, 'InvalidArgument']);
    refuses('listV2/odd encoding', 'ferry-listed', (c) => c.listV2({ 'encoding-type': 'base64' }), [400, 'InvalidArgument']);
    refuses('listV2/odd token', 'ferry-listed', (c) => c.listV2({ 'continuation-token': '!' }), [400, 'InvalidArgument']);
  }

  function addURLs() {
    const sign = (key, name, seconds, method = 'GET') => {
      const client = on('ferry-images', key);
      return version === 'V4' ? client.signatureUrlV4(method, seconds, undefined, name) : client.signatureUrl(name, { expires: seconds, method });
    };
    for (const key of ['admin', 'session']) {
      for (const name of ['fixed/object.txt', `${version}/url/with space +%&=ü图`]) {
        add(`signed URL/${key} of ${name}`, async () => {
          await images.put(name, Buffer.from('0123456789'));
          const got = await fetch(main, await sign(key, name, 60));
          assert.deepEqual([got.status, got.body], [200, '0123456789']);
          assert.equal((await fetch(main, await sign(key, name, 60), { Range: 'bytes=1-2' })).body, '12');
        });
      }
    }
    add('signed URL/put', async () => {
      const name = `${version}/url/put`;
      assert.equal((await fetch(main, await sign('admin', name, 60, 'PUT'), {}, 'PUT')).status, 200);
      assert.equal(String((await images.get(name)).content), 'by a signed URL');
    });
    for (const [name, make, status, code] of [
      ...(version === 'V4' ? [['not valid yet', () => at(16, () => sign('admin', 'fixed/object.txt', 60)), 403, 'AccessDenied']] : []),
      ['expired', () => at(-2, () => sign('admin', 'fixed/object.txt', 60)), 403, 'AccessDenied'],
      ['of another method', () => sign('admin', 'fixed/object.txt', 60, 'PUT'), 403, 'SignatureDoesNotMatch'],
      ['of another object', async () => (await sign('admin', 'fixed/object.txt', 60)).replace('object.txt', 'another.txt'), 403, 'SignatureDoesNotMatch'],
      ['wrong secret', () => sign('typo', 'fixed/object.txt', 60), 403, 'SignatureDoesNotMatch'],
      ['wrong key', () => sign('stranger', 'fixed/object.txt', 60), 403, 'InvalidAccessKeyId'],
      ['expired token', () => sign('expired', 'fixed/object.txt', 60), 403, 'SecurityTokenExpired'],
      ['no permission', () => sign('nobody', 'fixed/object.txt', 60), 403, 'AccessDenied'],
    ]) {
      add(`signed URL/${name}`, async () => {
        const got = await fetch(main, await make());
        assert.equal(got.status, status, got.body);
        assert.ok(got.body.includes(`<Code>${code}</Code>`), got.body);
      });
    }
  }
}

module.exports = { ossCases };
