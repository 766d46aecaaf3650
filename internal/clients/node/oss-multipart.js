'use strict';
// Uploads in parts and copies, by ali-oss.

const assert = require('node:assert/strict');
const { exists, noKey, refused } = require('./oss');

const partSize = 100 << 10;
const gone = [404, 'NoSuchUpload', 'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.'];

function multipartCases(places, { dial, version }) {
  const cases = [];
  const add = (name, f) => cases.push([`multipart/${name}`, f]);
  const { main } = places;
  const images = dial(main, main.keys.admin, 'ferry-images');
  const host = { host: `ferry-images.oss-${main.region}.aliyuncs.com` };
  const key = (name) => `${version}/multipart/${name}`;
  const content = (size) => Buffer.from(Array.from({ length: size }, (_, i) => (i >> 8) ^ (i * 7)));
  const begin = async (name) => (await images.initMultipartUpload(key(name), { meta: { writer: 'ali-oss' } })).uploadId;
  const part = async (name, id, number, body) => ({ number, etag: (await images.uploadPart(key(name), id, number, body, 0, body.length)).etag });

  for (const [name, size] of [['of one part', partSize], ['of three parts', 2 * partSize + 5]]) {
    add(`upload ${name}`, async () => {
      const body = content(size);
      await images.multipartUpload(key(`an object +图 ${name}`), body, { partSize, parallel: 2, meta: { writer: 'ali-oss' } });
      const { content: got, res } = await images.get(key(`an object +图 ${name}`));
      assert.ok(got.equals(body));
      assert.deepEqual([res.headers['x-oss-object-type'], res.headers['x-oss-meta-writer']], ['Multipart', 'ali-oss']);
      assert.match(res.headers.etag, /^"[0-9A-F]{32}-\d+"$/);
    });
  }
  add('parts are listed to the end', async () => {
    const id = await begin('listed');
    for (const number of [3, 1, 7]) await part('listed', id, number, content(number));
    const numbers = [];
    for (let marker = 0; ;) {
      const page = await images.listParts(key('listed'), id, { 'max-parts': 2, 'part-number-marker': marker });
      numbers.push(...[].concat(page.parts).map((p) => [p.PartNumber, p.Size]));
      if (page.isTruncated !== 'true') break;
      marker = page.nextPartNumberMarker;
    }
    assert.deepEqual(numbers, [['1', '1'], ['3', '3'], ['7', '7']]);
  });
  for (const size of [1, 3, 1000]) {
    add(`uploads are listed to the end in pages of ${size}`, async () => {
      const begun = [];
      for (let n = 0; n < 7; n++) begun.push(await begin(`pages of ${size}/${n >> 1}`));
      const found = [];
      for (let markers = {}; ;) {
        const page = await images.listUploads({ prefix: key(`pages of ${size}/`), 'max-uploads': size, ...markers });
        found.push(...page.uploads.map((u) => u.uploadId));
        if (!page.isTruncated) break;
        markers = { 'key-marker': page.nextKeyMarker, 'upload-id-marker': page.nextUploadIdMarker };
      }
      assert.deepEqual(found.sort(), begun.sort());
    });
  }
  add('forbid overwrite', async () => {
    await images.put(key('taken'), Buffer.from('x'));
    const id = await begin('taken');
    const one = await part('taken', id, 1, content(5));
    await refused(() => images.completeMultipartUpload(key('taken'), id, [one], { headers: { 'x-oss-forbid-overwrite': 'true' } }), exists, host);
  });
  add('abort', async () => {
    const id = await begin('aborted');
    const one = await part('aborted', id, 1, content(5));
    assert.equal((await images.abortMultipartUpload(key('aborted'), id)).res.status, 204);
    for (const f of [
      () => images.abortMultipartUpload(key('aborted'), id), () => images.listParts(key('aborted'), id, {}),
      () => images.completeMultipartUpload(key('aborted'), id, [one]), () => part('aborted', id, 2, content(5)),
    ]) await refused(f, gone, host);
  });
  add('parts that do not fit', async () => {
    const id = await begin('unfit');
    const one = await part('unfit', id, 1, content(5));
    const two = await part('unfit', id, 2, content(6));
    for (const [parts, code] of [
      [[one, { ...two, etag: `"${'0'.repeat(32)}"` }], 'InvalidPart'], [[one, { number: 3, etag: two.etag }], 'InvalidPart'], [[one, two], 'EntityTooSmall'],
    ]) await refused(() => images.completeMultipartUpload(key('unfit'), id, parts), [400, code], host);
    await refused(() => images.get(key('unfit')), noKey, host);
  });
  add('copy', async () => {
    await images.put(key('source +图'), content(partSize + 9), { meta: { writer: 'ali-oss' } });
    const { data } = await images.copy(key('target'), key('source +图'));
    const { content: got, res } = await images.get(key('target'));
    assert.ok(got.equals(content(partSize + 9)));
    assert.deepEqual([data.etag, res.headers['x-oss-meta-writer']], [res.headers.etag, 'ali-oss']);
    await refused(() => images.copy(key('target'), key('source +图'), { headers: { 'x-oss-forbid-overwrite': 'true' } }), exists, host);
    await refused(() => images.copy(key('target'), key('none')), noKey, host);
  });
  add('copy of parts', async () => {
    const id = await begin('joined');
    const source = { sourceBucketName: 'ferry-images', sourceKey: key('source +图') };
    const parts = [];
    for (const [n, range] of [`0-${partSize - 1}`, `${partSize}-${partSize + 8}`].entries()) {
      parts.push({ number: n + 1, etag: (await images.uploadPartCopy(key('joined'), id, n + 1, range, source)).etag });
    }
    await images.completeMultipartUpload(key('joined'), id, parts);
    assert.ok((await images.get(key('joined'))).content.equals(content(partSize + 9)));
  });
  return cases;
}

module.exports = { multipartCases };
