// Asks a second parser (llhttp, in Node's HTTP server) what it makes of the bytes that h1_inputs
// shows: each message that the codec of h1 has accepted must be the same one to it, in order, with
// the same body. That it takes more is its own affair: the codec is the stricter one; that it takes
// less (methods that it does not know, mostly) is counted, and must stay rare.
//
//     node llhttp_test.js H1_INPUTS [SEED [COUNT]]
'use strict';
const { execFileSync } = require('child_process');
const { Duplex } = require('stream');
const http = require('http');

const [program, seed = '1', count = '4000'] = process.argv.slice(2);

function askLlhttp(bytes) {
  return new Promise((resolve) => {
    const messages = [];
    let refused = false;
    const server = http.createServer({ insecureHTTPParser: false }, (request, response) => {
      const message = {
        method: request.method,
        target: request.url,
        fields: request.rawHeaders.length / 2,
        body: [],
        whole: false,
      };
      messages.push(message);
      request.on('data', (piece) => message.body.push(piece));
      request.on('end', () => { message.whole = true; });
      request.on('error', () => {});
      response.statusCode = 204;
      response.end();
    });
    server.on('clientError', () => { refused = true; });
    server.on('connect', (request, socket) => { refused = true; socket.destroy(); });
    const socket = new Duplex({
      read() {},
      write(piece, encoding, done) { done(); },
    });
    socket.setTimeout = () => socket;
    socket.setNoDelay = () => socket;
    socket.setKeepAlive = () => socket;
    socket.on('error', () => {});
    server.emit('connection', socket);
    socket.push(bytes);
    socket.push(null);
    // Everything is in this process: when the queues have turned a few times all is said.
    let turns = 8;
    const turn = () => {
      turns -= 1;
      if (turns > 0) {
        setImmediate(turn);
        return;
      }
      socket.destroy();
      resolve({ refused, messages: messages.filter((m) => m.whole) });
    };
    setImmediate(turn);
  });
}

async function main() {
  const out = execFileSync(program, [seed, count], { encoding: 'latin1', maxBuffer: 1 << 28 });
  let accepted = 0;
  let stricter = 0;
  for (const line of out.trimEnd().split('\n')) {
    const [kind, hex, ...words] = line.split(' ');
    if (kind !== 'q') {
      continue; // responses: h1_peers_test.py
    }
    const { refused, messages } = await askLlhttp(Buffer.from(hex, 'hex'));
    for (let i = 0; i * 6 < words.length; i += 1) {
      const [method, target, fields, , , body] = words.slice(i * 6, i * 6 + 6);
      accepted += 1;
      const theirs = messages[i];
      if (theirs === undefined) {
        if (!refused) {
          throw new Error(`llhttp sees no message ${i}: ${Buffer.from(hex, 'hex')}`);
        }
        stricter += 1;
        break;
      }
      const found = Buffer.concat(theirs.body).toString('hex') || '-';
      if (theirs.method !== method || theirs.target !== target || found !== body
          || theirs.fields !== Number(fields)) {
        throw new Error(`message ${i} is ${method} ${target} ${fields} ${body} to h1, ${theirs.method} `
          + `${theirs.target} ${theirs.fields} ${found} to llhttp: ${Buffer.from(hex, 'hex')}`);
      }
    }
  }
  console.log(`${accepted} messages are the same to llhttp ${process.versions.llhttp}; `
    + `it refuses ${stricter} of them`);
  if (accepted < Number(count) / 2 || stricter > accepted / 20) {
    throw new Error('too few accepted, or too many refused there');
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
