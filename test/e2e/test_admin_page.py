# SPDX-License-Identifier: Apache-2.0
"""The live page of the admin server in a real browser: what it shows, how it follows, its keyboard, its layout."""
import json
import os

from lib import client, network, peers, wait
from lib.browser import chromium_there, open_page
from lib.case import limit, needs
from lib.origin import echo
from lib.topology import tcp

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "libtunnel", "src", "runtime", "page")


def pipeline(t, *lines):
    """tun-run with `lines` and an admin server; its tool and port."""
    admin = t.port()
    words = [word for line in lines for word in ("-e", line)]
    return t.tool("tun-run", "--admin", tcp(admin), *words, listens=[admin]), admin


def page_of(t, admin, **look):
    page = open_page(t, f"http://127.0.0.1:{admin}/", **look)
    page.until("document.getElementById('status').textContent === 'ready'", 10)
    return page


def chain(t, origin):
    entry = t.port()
    return entry, *pipeline(t, f"tcp-chain -l {tcp(entry)} -t internal:mid --name front", f"tcp-chain -l internal:mid -t {tcp(origin)} --name mid")


def ping(sock, size=4):
    sock.sendall(b"x" * size)
    got = 0
    while got < size:
        got += len(sock.recv(65536))


def open_cell(name):
    """JavaScript: how many connections listener `name` has open, as its row says."""
    return f"[...document.querySelectorAll('#listeners tbody tr')].find(row => row.querySelector('.who').textContent === '{name}').cells[1].textContent"


@needs(chromium_there)
@limit(90)
def test_it_shows_what_runs_and_follows_it(t):
    origin = t.server(echo)
    entry, _, admin = chain(t, origin.port)
    page = page_of(t, admin)
    assert page.value("[...document.querySelectorAll('#listeners .who')].map(one => one.textContent)") == ["front", "mid"]
    assert page.value("[...document.querySelectorAll('#clusters .who')].map(one => one.textContent)") == ["front.to", "mid.to"]
    assert page.value("[...document.querySelectorAll('#topology .name')].map(one => one.textContent)") == ["front", "mid", "front.to", "mid.to"]
    assert page.value("document.querySelectorAll('#topology .edge').length") == 3
    assert page.value(open_cell("front")) == "0"
    sock = t.connect(entry)
    ping(sock)
    page.until(f"{open_cell('front')} === '1' && {open_cell('mid')} === '1'", 10)
    page.until("document.querySelectorAll('#topology .edge.open').length === 3", 10)
    page.until(f"document.querySelector('#tunnels .who')?.textContent === '127.0.0.1:{sock.getsockname()[1]}'", 10)
    assert page.value("document.title") == "1 open · tunnel"
    ping(sock, 300_000)
    page.until("[...document.querySelectorAll('#topology .label')].some(label => label.textContent.endsWith('kB/s'))", 10)
    sock.close()
    page.until(f"{open_cell('front')} === '0'", 10)
    page.until("document.querySelectorAll('#topology .edge.open, #topology .pulse.flows').length === 0", 10)
    assert page.said == []


@needs(chromium_there)
def test_an_error_turns_its_way_red(t):
    entry, good, nobody = t.port(), t.port(), t.port()
    _, admin = pipeline(t, f"tcp-chain -l {tcp(entry)} -t {tcp(nobody)} --name broken", f"tcp-chain -l {tcp(good)} -t {tcp(entry)} --name fine")
    page = page_of(t, admin)
    assert page.value("document.querySelectorAll('#topology .errors, #topology .failing').length") == 0
    try:
        client.read_to_end(t.connect(entry))
    except ConnectionResetError:
        pass
    page.until("document.querySelectorAll('#topology .edge.errors').length === 1", 10)
    assert page.value("[...document.querySelectorAll('#topology .failing .name')].map(one => one.textContent)") == ["broken", "broken.to"]
    assert page.value("document.querySelector('#topology .label.errors').textContent") == "1 failed"
    red = page.value("getComputedStyle(document.querySelector('#topology .edge.errors')).stroke")
    assert red != page.value("getComputedStyle(document.querySelector('#topology .edge:not(.errors)')).stroke")
    assert page.said == []


@needs(chromium_there)
def test_a_backend_set_aside_and_a_pool_are_told(t):
    origin = t.server(echo)
    entry, tunnels, proxy, nobody = t.port(), t.port(), t.port(), t.port()
    _, admin = pipeline(t, f"tcp-chain -l {tcp(entry)} -t {tcp(nobody)} -t {tcp(origin.port)} --lb first --name two", f"tun-decap -l {tcp(proxy)} --to echo: --name far",
                        f"tun-encap -l {tcp(tunnels)} -x h2c:{tcp(proxy)} --target a:1 --name near")
    page = page_of(t, admin)

    def line(cluster, kind):
        return f"[...document.querySelectorAll('#clusters tbody tr')].find(row => row.querySelector('.who').textContent === '{cluster}').querySelector('.{kind}').textContent"
    assert page.value(line("two.to", "aside")) == page.value(line("two.to", "pool")) == ""
    assert page.value(line("near.proxy", "pool")) == "pool: 0 exchanges on 0 connections"
    sock = t.connect(entry)
    ping(sock)
    page.until(f"{line('two.to', 'aside')} === '127.0.0.1:{nobody} is set aside'", 10)
    one, other = t.connect(tunnels), t.connect(tunnels)
    ping(one)
    ping(other)
    page.until(f"/^pool: 2 exchanges on [12] connections?$/.test({line('near.proxy', 'pool')})", 10)
    one.close()
    other.close()
    page.until(f"{line('near.proxy', 'pool')}.startsWith('pool: 0 exchanges on ')", 10)
    assert page.said == []


@needs(chromium_there)
@limit(90)
def test_the_drain_by_keyboard(t):
    origin = t.server(echo)
    entry, tool, admin = chain(t, origin.port)
    sock = t.connect(entry)
    ping(sock)
    page = page_of(t, admin)
    focus = "document.activeElement.id"
    page.press("Tab")
    assert page.value(focus) == "drain"
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid", "the focus can be seen"
    page.press("Enter")
    page.until("document.getElementById('confirm').open", 10)
    assert "1 is open now" in page.value("document.getElementById('confirm-text').textContent")
    assert page.value(focus) == "stay", "the safe choice comes first"
    page.press("Escape")
    page.until("!document.getElementById('confirm').open", 10)
    assert page.value(focus) == "drain"
    assert tool.running() and network.listening(entry)
    page.press(" ")
    page.until("document.getElementById('confirm').open", 10)
    page.press("Tab")
    assert page.value(focus) == "go"
    page.press("Enter")
    wait.until(lambda: not network.listening(entry), 5, "the listener closes")
    page.until("document.getElementById('status').textContent === 'draining' && document.getElementById('drain').disabled", 10)
    ping(sock)
    assert page.said == []
    sock.close()
    assert tool.wait_exit() == 0, tool.report()
    page.until("document.getElementById('status').textContent === 'ended'", 6)


def many_lines(t, count):
    """`count` listeners: what no window should be too small for, and then simple ones."""
    if count == 1:
        return [f"tcp-chain -l {tcp(t.port())} -t echo:"]
    lines = [f"tcp-chain -l {tcp(t.port())} -t internal:encap --name a-name-that-is-far-too-long-for-a-card-of-any-size",
             "tun-encap -l internal:encap -x h2c+internal:decap --target a-long-host-name.of.some.example:443",
             "tun-decap -l internal:decap --allow '*:443'",
             f"tun-encap -l {tcp(t.port())} -x h1:127.0.0.1:3128 --target host.com:443 --http --name web"]  # two of them
    return lines + [f"tcp-chain -l {tcp(t.port())} -t 127.0.0.1:{9000 + i} --name service-{i}" for i in range(count - 5)]


# JavaScript: texts that leave their card, and labels on cards or on each other.
CLASHES = """(() => {
  const box = (one) => one.getBoundingClientRect(), found = [];
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  const cards = [...document.querySelectorAll('#topology .node')].map((node) => ({ node, at: box(node.querySelector('.box')) }));
  for (const { node, at } of cards)
    for (const text of node.querySelectorAll('text')) {
      const its = box(text);
      if (its.left < at.left || its.right > at.right || its.top < at.top || its.bottom > at.bottom) found.push('leaves: ' + text.textContent);
      for (const other of node.querySelectorAll('text')) if (other !== text && !apart(its, box(other))) found.push('on each other: ' + text.textContent);
    }
  cards.forEach((a, i) => cards.slice(i + 1).forEach((b) => { if (!apart(a.at, b.at)) found.push('cards on each other'); }));
  const labels = [...document.querySelectorAll('#topology .label')].filter((label) => label.textContent).map((label) => [label.textContent, box(label)]);
  labels.forEach(([text, at], i) => {
    for (const [other, its] of labels.slice(i + 1)) if (!apart(at, its)) found.push(`${text} on ${other}`);
    if (innerWidth > 900) for (const card of cards) if (!apart(at, card.at)) found.push(text + ' on a card');
  });
  return found;
})()"""


# JavaScript: tables whose heads are not as wide as they are, and titles that are wider than their column.
TABLES = """[...document.querySelectorAll('table')].flatMap((table) => {
  const heads = [...table.querySelectorAll('thead th')].filter((head) => head.offsetParent), found = [];
  if (Math.abs(heads.at(-1).getBoundingClientRect().right - table.getBoundingClientRect().right) > 2) found.push(table.id + ' is wider than its head');
  for (const head of heads) if (head.scrollWidth > head.clientWidth) found.push(`${table.id}: ${head.textContent} leaves its column`);
  return found;
})"""


@needs(chromium_there)
@limit(150)
def test_the_layout_in_every_size_and_scheme(t):
    """1, 5 and 30 listeners at 360 and 1,600 pixels, light and dark: nothing overlaps or overflows."""
    for count in (1, 5, 30):
        tool, admin = pipeline(t, *many_lines(t, count))
        page = page_of(t, admin)
        assert page.value("document.querySelectorAll('#listeners tbody tr').length") == count
        grounds = []
        for width in (1600, 360):
            for dark in (False, True):
                page.look(width, 900, dark)
                page.until(f"innerWidth === {width} && document.querySelector('#topology svg').clientWidth < {width}", 10)
                assert page.value("document.documentElement.scrollWidth") == width, f"{count} listeners overflow {width} pixels"
                wide = page.value("[...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 99))")
                assert wide == [], (count, width, wide)
                clashes = page.value(CLASHES)
                assert clashes == [], (count, width, clashes)
                crooked = page.value(TABLES)
                assert crooked == [], (count, width, crooked)
                grounds.append(page.value("getComputedStyle(document.body).backgroundColor"))
        assert grounds[0] == grounds[2] != grounds[1] == grounds[3], grounds
        assert page.said == []
        page.stop()


@needs(chromium_there)
def test_labels_have_room_while_all_carries_traffic(t):
    origin = t.server(echo)
    port = t.port()
    _, admin = pipeline(t, f"tcp-chain -l {tcp(port)} -t internal:encap --name ingress",
                        f"tun-encap -l internal:encap -x h2c+internal:decap --target {tcp(origin.port)}", f"tun-decap -l internal:decap --allow {tcp(origin.port)}")
    page = page_of(t, admin)
    socks = [t.connect(port) for _ in range(12)]

    def busy():
        for sock in socks:
            ping(sock, 50_000)
        return page.value("[...document.querySelectorAll('#topology .label')].filter(one => one.textContent.includes('B/s')).length >= 5")
    wait.until(busy, 10, "rates on every edge")
    assert page.value(CLASHES) == []
    page.look(360, 900, False)
    page.until("innerWidth === 360 && document.querySelector('#topology svg').clientWidth < 360", 10)
    wait.until(busy, 10, "rates on every edge")
    assert page.value(CLASHES) == []


@needs(chromium_there)
def test_everything_comes_from_here_and_is_small(t):
    _, admin = pipeline(t, f"tcp-chain -l {tcp(t.port())} -t echo:")
    page = page_of(t, admin)
    urls = page.value("performance.getEntriesByType('resource').map(one => one.name)")
    assert urls and all(url.startswith((f"http://127.0.0.1:{admin}/", "data:")) for url in urls), urls
    size = sum(os.path.getsize(os.path.join(FOLDER, name)) for name in os.listdir(FOLDER))
    assert size < 60_000, size
    # The policy is in force: markup from outside could run nothing.
    assert page.value("(() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.head.append(script); return window.ran; })()") is None
    assert any("Content Security Policy" in line for line in page.said)


@needs(chromium_there, peers.curl_there)
@limit(90)
def test_it_finds_a_restarted_process(t):
    """The page of a process that ended goes on with the next one at that port, whatever that runs."""
    entry = t.port()
    tool, admin = pipeline(t, f"tcp-chain -l {tcp(entry)} -t echo: --name before")
    page = page_of(t, admin)
    tool.stop()
    t.tools.remove(tool)
    page.until("document.getElementById('status').textContent === 'no answer'", 5)
    t.tool("tcp-chain", "--admin", tcp(admin), "-l", tcp(entry), "-t", "echo:", "--name", "after", listens=[entry, admin])
    page.until("document.querySelector('#listeners .who').textContent === 'after'", 6)
    assert json.loads(peers.curl(f"http://127.0.0.1:{admin}/state.json"))["listeners"][0]["name"] == "after"
