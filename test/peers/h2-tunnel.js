// SPDX-License-Identifier: Apache-2.0
// node h2-tunnel.js PROXYPORT HOST:PORT MODE [BYTES]: one CONNECT stream over clear HTTP/2; prints what was seen as one JSON line.
//   download   sends "go", ends its side at once, reads to the end
//   upload     reads to the end of the other side, then sends BYTES bytes and ends
//   open       only asks: prints the status and the fields of the answer
//   reset      as download, but resets the stream (CANCEL) after the first bytes
const crypto = require('crypto'), http2 = require('http2');
const [port, authority, mode, bytes = '0'] = process.argv.slice(2);
const seen = { status: 0, fields: {}, bytes: 0, sha256: '', sent: '', ended: false, code: null };
const received = crypto.createHash('sha256'), sent = crypto.createHash('sha256');
const session = http2.connect('http://127.0.0.1:' + port);
const stream = session.request({ ':method': 'CONNECT', ':authority': authority }, { endStream: false });

function finish() {
  seen.sha256 = received.digest('hex');
  seen.sent = sent.digest('hex');
  seen.code = stream.rstCode;
  process.stdout.write(JSON.stringify(seen) + '\n', () => process.exit(0));
}
function upload(left) {
  const piece = crypto.randomBytes(65536);
  (function more() {
    while (left > 0) {
      const part = piece.subarray(0, Math.min(left, piece.length));
      left -= part.length;
      sent.update(part);
      if (!stream.write(part)) { stream.once('drain', more); return; }
    }
    stream.end();
  })();
}
stream.on('response', head => {
  seen.status = head[':status'];
  for (const name of Object.keys(head)) seen.fields[name] = String(head[name]);
  if (mode === 'open' || seen.status !== 200) { stream.end(); return; }
  if (mode === 'download') stream.end('go');
  if (mode === 'reset') stream.write('go');
});
stream.on('data', data => {
  seen.bytes += data.length;
  received.update(data);
  if (mode === 'reset') stream.close(http2.constants.NGHTTP2_CANCEL);
});
stream.on('end', () => {
  seen.ended = true;
  if (mode === 'upload') upload(Number(bytes));
});
stream.on('error', () => {});  // told by `code`
// A stream is 'closed' before its last frame has left: the session's end waits for it, exit() would not.
stream.on('close', () => session.close(finish));
session.on('error', error => { console.error('session: ' + error.message); process.exit(1); });
