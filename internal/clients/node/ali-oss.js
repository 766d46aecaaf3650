'use strict';
// ali-oss addresses buckets by virtual host. Here it does so with the names of the real endpoints, which an agent leads to
// loopback. Everything is asked twice: with signatures of version 1 and of version 4.

const http = require('node:http');
const net = require('node:net');
const OSS = require('ali-oss');
const { run } = require('./harness');
const { ossCases } = require('./oss-cases');
const { multipartCases } = require('./oss-multipart');

// A Loopback takes every connection to one port of this machine, whatever name it is for.
class Loopback extends http.Agent {
  constructor(address) {
    super({ keepAlive: true });
    [this.host, this.port] = address.split(':');
  }

  createConnection(options, done) {
    return net.connect({ host: this.host, port: Number(this.port) }, done);
  }
}

run((places) => [false, true].flatMap((authorizationV4) => {
  const agents = new Map(Object.values(places).map((place) => [place, new Loopback(place.oss)]));
  // dial is a client of a place, for a bucket. The options are ali-oss's own.
  const dial = (place, key, bucket, options = {}) => new OSS({
    region: `oss-${place.region}`, endpoint: `http://oss-${place.region}.aliyuncs.com`, bucket, authorizationV4,
    accessKeyId: key.id, accessKeySecret: key.secret, stsToken: key.token,
    refreshSTSToken: key.token && (async () => key), refreshSTSTokenInterval: 3_600_000, // it would complain without
    agent: agents.get(place), timeout: 10_000, ...options,
  });
  // fetch is a plain GET, for signed URLs.
  const fetch = (place, url, headers = {}, method = 'GET') => new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: agents.get(place) }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    request.on('error', reject);
    request.end(method === 'PUT' ? 'by a signed URL' : undefined);
  });
  const version = authorizationV4 ? 'V4' : 'V1';
  const client = { dial, fetch, version };
  return [...ossCases(places, client), ...multipartCases(places, client)].map(([name, f]) => [`${version}/${name}`, f]);
}));
