// SPDX-License-Identifier: Apache-2.0
// node h2c-connect.js PROXYPORT HOST:PORT [PATH]: CONNECT over clear HTTP/2 (prior knowledge), then one HTTP/1.0 GET inside the tunnel.
const h2 = require('http2'), [px, target, path = '/'] = process.argv.slice(2);
const fail = m => { console.error(m); process.exit(1); };
const s = h2.connect('http://127.0.0.1:' + px);
s.on('error', e => fail('session: ' + e.message));
const r = s.request({ ':method': 'CONNECT', ':authority': target }, { endStream: false });
let out = '';
r.on('response', h => { console.log('CONNECT', h[':status']); if (h[':status'] !== 200) fail('refused'); r.write(`GET ${path} HTTP/1.0\r\n\r\n`); });
r.on('data', d => out += d);
r.on('end', () => { console.log('body', JSON.stringify(out.split('\r\n\r\n').slice(1).join('\r\n\r\n'))); s.close(); process.exit(0); });
r.on('error', e => fail('stream: ' + e.message));   // RST_STREAM shows here; r.rstCode has the code
setTimeout(() => fail('timeout, got ' + out.length + ' bytes'), 4000);
