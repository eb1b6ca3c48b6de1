// A gRPC client in JavaScript against a gateway: client.js ADDRESS.  Prints a line for each check
// and ends with 0 if all held.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const grpc = require('@grpc/grpc-js');
const { service, limits, DETAILS, TEXT } = require('./origin.js');

const Echo = grpc.makeGenericClientConstructor(service, 'Echo');
const client = new Echo(process.argv[2], grpc.credentials.createInsecure(), limits);
const soon = () => ({ deadline: Date.now() + 20000 });

function unary(name, message, metadata = new grpc.Metadata(), options = soon()) {
  return new Promise((go, fail) => {
    const facts = {};
    const call = client[name](message, metadata, options, (error, response) => {
      if (error) return fail(error);
      facts.response = response;
      setImmediate(() => go(facts));
    });
    call.on('metadata', (m) => (facts.metadata = m));
    call.on('status', (s) => (facts.status = s));
  });
}

async function refused(promise, code) {
  try {
    await promise;
  } catch (error) {
    assert.strictEqual(error.code, code, String(error));
    return error;
  }
  assert.fail('must not succeed');
}

const checks = {
  async 'unary, with metadata of both kinds'() {
    const metadata = new grpc.Metadata();
    metadata.set('x-text', 'some text');
    metadata.set('x-some-bin', Buffer.from([0, 1, 254, 255]));
    const facts = await unary('Unary', Buffer.from('hello'), metadata);
    assert.strictEqual(facts.response.toString(), 'hello');
    assert.deepStrictEqual(facts.metadata.get('x-text'), ['some text']);
    assert.deepStrictEqual(facts.metadata.get('x-some-bin'), [Buffer.from([0, 1, 254, 255])]);
    assert.deepStrictEqual(facts.status.metadata.get('x-trailing'), ['yes']);
    assert.deepStrictEqual(facts.status.metadata.get('x-trailing-bin'), [Buffer.from([0, 255])]);
  },
  async 'an empty message'() {
    assert.strictEqual((await unary('Unary', Buffer.alloc(0))).response.length, 0);
  },
  async '4 MiB both ways'() {
    const message = crypto.createHash('sha256').update('seed').digest();
    const big = Buffer.alloc(4 << 20, message);
    assert.ok((await unary('Unary', big)).response.equals(big));
  },
  async 'server streaming'() {
    const sizes = [];
    const call = client.Download(Buffer.from('300 5000'), soon());
    for await (const message of call) {
      assert.ok(message.equals(Buffer.alloc(5000, sizes.length % 256)));
      sizes.push(message.length);
    }
    assert.strictEqual(sizes.length, 300);
  },
  async 'client streaming'() {
    const digest = crypto.createHash('sha256');
    const answer = await new Promise((go, fail) => {
      const call = client.Upload(soon(), (error, response) => (error ? fail(error) : go(response)));
      for (let i = 0; i < 300; i++) {
        const message = Buffer.alloc(5000, i % 256);
        digest.update(message);
        call.write(message);
      }
      call.end();
    });
    assert.strictEqual(answer.toString(), `300 1500000 ${digest.digest('hex')}`);
  },
  async 'bidirectional streaming, one by one'() {
    const call = client.Chat(soon());
    const messages = call[Symbol.asyncIterator]();
    for (let i = 0; i < 200; i++) {
      call.write(Buffer.from('ping ' + i));
      assert.strictEqual((await messages.next()).value.toString(), 'ping ' + i);
    }
    call.end();
    assert.ok((await messages.next()).done);
  },
  async 'an error with its message and details'() {
    const error = await refused(unary('Fail', Buffer.alloc(1)), grpc.status.NOT_FOUND);
    assert.strictEqual(error.details, TEXT);
    assert.deepStrictEqual(error.metadata.get('grpc-status-details-bin'), [DETAILS]);
  },
  async 'a deadline'() {
    const options = { deadline: Date.now() + 400 };
    await refused(
      unary('Hang', Buffer.alloc(1), new grpc.Metadata(), options),
      grpc.status.DEADLINE_EXCEEDED
    );
  },
  async 'a method that is not there'() {
    const missing = new Promise((go, fail) =>
      client.makeUnaryRequest('/echo.Echo/None', (b) => b, (b) => b, Buffer.alloc(1), (e, r) =>
        e ? fail(e) : go(r)
      )
    );
    await refused(missing, grpc.status.UNIMPLEMENTED);
  },
  async 'fifty at once'() {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => unary('Unary', Buffer.from('call ' + i)))
    );
    answers.forEach((facts, i) => assert.strictEqual(facts.response.toString(), 'call ' + i));
  },
};

(async () => {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log('ok   ' + name);
    } catch (error) {
      failed++;
      console.log(`FAIL ${name}: ${error.stack}`);
    }
  }
  client.close();
  process.exit(failed ? 1 : 0);
})();
