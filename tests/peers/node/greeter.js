// helloworld.Greeter with TLS: greeter.js serve ADDRESS CERTS | greeter.js greet ADDRESS CERTS
'use strict';
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');

const [what, address, certs] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(certs, name));
const text = (message) => message.subarray(2).toString(); // field 1, and its length
const message = (words) => Buffer.concat([Buffer.from([10, Buffer.byteLength(words)]), Buffer.from(words)]);
const asIs = (bytes) => bytes;
const service = {
  SayHello: {
    path: '/helloworld.Greeter/SayHello',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};

if (what === 'serve') {
  const server = new grpc.Server();
  server.addService(service, {
    SayHello: (call, done) => done(null, message(`Hello ${text(call.request)}`)),
  });
  const pair = { private_key: read('backend.key'), cert_chain: read('backend.crt') };
  server.bindAsync(address, grpc.ServerCredentials.createSsl(null, [pair]), (error) => {
    if (error) throw error;
  });
} else {
  const Greeter = grpc.makeGenericClientConstructor(service, 'Greeter');
  const client = new Greeter(address, grpc.credentials.createSsl(read('frontend.crt')), {
    'grpc.ssl_target_name_override': 'frontend.local',
    'grpc.default_authority': 'frontend.local',
  });
  client.SayHello(message('World'), { deadline: Date.now() + 20000 }, (error, answer) => {
    if (error) throw error;
    console.log(text(answer));
    client.close();
  });
}
