// The gRPC upstream of the tests in JavaScript: origin.js ADDRESS.  grpc_origin.py tells what each
// method does; the two are twins.
'use strict';
const crypto = require('crypto');
const grpc = require('@grpc/grpc-js');

const DETAILS = Buffer.from([8, 5, 0x12, 4, 0x64, 0xc3, 0xa9, 0x74, 0, 0xff, 0xfe]);
const TEXT = 'nichts da: 100% \u00fc\nzweite Zeile';
const limits = {
  'grpc.max_receive_message_length': 8 << 20,
  'grpc.max_send_message_length': 8 << 20,
};
const asIs = (message) => message;
let cancelled = 0;

function method(name, requestStream, responseStream) {
  return {
    path: '/echo.Echo/' + name,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

const service = {
  Unary: method('Unary', false, false),
  Download: method('Download', false, true),
  Upload: method('Upload', true, false),
  Chat: method('Chat', true, true),
  Fail: method('Fail', false, false),
  Hang: method('Hang', false, false),
  Left: method('Left', false, false),
  Cancelled: method('Cancelled', false, false),
};

const handlers = {
  Unary(call, done) {
    const back = new grpc.Metadata();
    for (const key of Object.keys(call.metadata.getMap())) {
      if (key.startsWith('x-')) for (const value of call.metadata.get(key)) back.add(key, value);
    }
    call.sendMetadata(back);
    const trailing = new grpc.Metadata();
    trailing.set('x-trailing', 'yes');
    trailing.set('x-trailing-bin', Buffer.from([0, 0xff]));
    done(null, call.request, trailing);
  },
  async Download(call) {
    const [count, size] = call.request.toString().split(' ').map(Number);
    for (let i = 0; i < count; i++) {
      if (!call.write(Buffer.alloc(size, i % 256)))
        await new Promise((go) => call.once('drain', go));
    }
    call.end();
  },
  Upload(call, done) {
    let count = 0;
    let total = 0;
    const digest = crypto.createHash('sha256');
    call.on('data', (message) => {
      count++;
      total += message.length;
      digest.update(message);
    });
    call.on('end', () => done(null, Buffer.from(`${count} ${total} ${digest.digest('hex')}`)));
  },
  Chat(call) {
    call.on('data', (message) => call.write(message));
    call.on('end', () => call.end());
  },
  Fail(call, done) {
    const trailing = new grpc.Metadata();
    trailing.set('grpc-status-details-bin', DETAILS);
    done({ code: grpc.status.NOT_FOUND, details: TEXT, metadata: trailing });
  },
  Hang(call) {
    call.on('cancelled', () => cancelled++);
    call.sendMetadata(new grpc.Metadata());
  },
  Left(call, done) {
    const deadline = call.getDeadline();
    const left = Number(deadline) - Date.now();
    done(null, Buffer.from(Number.isFinite(left) ? String(Math.floor(left)) : 'none'));
  },
  Cancelled(call, done) {
    done(null, Buffer.from(String(cancelled)));
  },
};

module.exports = { service, limits, DETAILS, TEXT };

if (require.main === module) {
  const server = new grpc.Server(limits);
  server.addService(service, handlers);
  server.bindAsync(process.argv[2], grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
  });
}
