// Node's TLS against a gateway: tls_client.js HOST PORT CA.  Prints a line for each check and ends with 0
// if all held.
'use strict';
const assert = require('assert');
const fs = require('fs');
const http2 = require('http2');
const https = require('https');

const [host, port, file] = process.argv.slice(2);
const ca = fs.readFileSync(file);
const named = (servername, more = {}) => ({ host, port, ca, servername, ...more });

function get(options) {
  return new Promise((go, fail) => {
    const headers = { host: 'a.test' };
    const request = https.get({ ...options, headers }, (response) => {
      let body = '';
      response.on('data', (some) => (body += some));
      response.on('end', () => go({ body, socket: response.socket, status: response.statusCode }));
    });
    request.on('error', fail);
  });
}

function get2(options) {
  return new Promise((go, fail) => {
    const client = http2.connect('https://a.test', options);
    client.on('error', fail);
    const stream = client.request({ ':path': '/' });
    let body = '';
    stream.on('data', (some) => (body += some));
    stream.on('error', fail);
    stream.on('end', () => {
      const alpn = client.alpnProtocol;
      client.close(() => go({ body, alpn }));
    });
    stream.end();
  });
}

const checks = {
  async 'https, TLS 1.3'() {
    const answer = await get(named('a.test', { agent: false }));
    assert.strictEqual(answer.body, 'here\n');
  },
  async 'https, TLS 1.2'() {
    const answer = await get(named('x.wild.test', { maxVersion: 'TLSv1.2', agent: false }));
    assert.strictEqual(answer.body, 'here\n');
  },
  async 'https, one connection, many requests'() {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set();
    for (let i = 0; i < 20; i++) sockets.add((await get(named('a.test', { agent }))).socket);
    agent.destroy();
    assert.ok(sockets.size <= 1 || [...sockets].filter(Boolean).length <= 1);
  },
  async 'https, sessions'() {
    const agent = new https.Agent({ keepAlive: false });
    let reused = 0;
    agent.on('free', () => {});
    for (let i = 0; i < 5; i++) {
      const answer = await get(named('a.test', { agent }));
      if (answer.socket && answer.socket.isSessionReused()) reused++;
    }
    assert.ok(reused >= 3, `${reused} of 5`);
  },
  async 'a name that is not there'() {
    await assert.rejects(get(named('other.test', { agent: false })), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  },
  async 'http2'() {
    const answer = await get2(named('a.test'));
    assert.deepStrictEqual(answer, { body: 'here\n', alpn: 'h2' });
  },
  async 'http2, TLS 1.2'() {
    const answer = await get2(named('a.test', { maxVersion: 'TLSv1.2' }));
    assert.deepStrictEqual(answer, { body: 'here\n', alpn: 'h2' });
  },
};

(async () => {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${name}: ${error.stack}`);
    }
  }
  process.exit(failed ? 1 : 0);
})();
