# SPDX-License-Identifier: Apache-2.0
"""A real browser: headless Chromium, driven by the DevTools protocol over a pipe, so that nothing but it is needed."""
import base64
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading

from . import wait
from .peers import find, requirement

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-dev-shm-usage", "--hide-scrollbars",
         "--no-proxy-server", "--remote-debugging-pipe")
KEYS = {"Tab": ("\t", 9), "Enter": ("\r", 13), "Escape": ("", 27), " ": (" ", 32)}

chromium_there = requirement("Chromium", lambda: find("chromium"))


def open_page(t, url, **look):
    """A Page that ends with the test."""
    page = Page(url, **look)
    t.peers_.append(page)
    return page


class Page:
    """One tab. `said` are errors and warnings of its console."""

    def __init__(self, url, width=1600, height=1000, dark=False):
        self.folder, self.said, self.answers_, self.events_, self.number_ = tempfile.mkdtemp(prefix="browser-"), [], {}, queue.Queue(), 0
        self.changed_ = threading.Condition()
        to_browser, self.out_ = os.pipe()
        self.in_, from_browser = os.pipe()
        # The protocol wants descriptors 3 and 4; setpriv: the browser ends with this process, however that ends. A group
        # of its own: those it starts write to its folder, too, and must have ended before that goes.
        line = f'exec setpriv --pdeathsig KILL -- "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
        self.process = subprocess.Popen(["bash", "-c", line, find("chromium"), *FLAGS, f"--user-data-dir={self.folder}", "about:blank"],
                                        pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_browser)
        os.close(from_browser)
        threading.Thread(target=self.read_, daemon=True).start()
        self.session_ = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session_ = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.look(width, height, dark)
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", 20)

    def read_(self):
        pending = b""
        while piece := os.read(self.in_, 1 << 16):
            *messages, pending = (pending + piece).split(b"\0")
            for message in map(json.loads, messages):
                with self.changed_:
                    self.take_(message)
                    self.changed_.notify_all()
        with self.changed_:
            self.answers_[None] = "ended"
            self.changed_.notify_all()

    def take_(self, message):
        if "id" in message:
            self.answers_[message["id"]] = message
        event, about = message.get("method"), message.get("params", {})
        if event == "Runtime.exceptionThrown":
            self.said.append(about["exceptionDetails"].get("exception", {}).get("description", str(about)))
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.said.append(str([value.get("value", value.get("description")) for value in about["args"]]))
        elif event == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.said.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")

    def call(self, method, **parameters):
        self.number_ += 1
        number = self.number_
        message = {"id": number, "method": method, "params": parameters, **({"sessionId": self.session_} if self.session_ else {})}
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out_, data):]
        with self.changed_:
            there = self.changed_.wait_for(lambda: number in self.answers_ or None in self.answers_, 30 * wait.SCALE)
            assert there and number in self.answers_, f"the browser did not answer {method}"
            answer = self.answers_.pop(number)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def look(self, width, height, dark):
        """The window's size in CSS pixels, and the colour scheme the user prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def value(self, expression):
        """What a JavaScript expression is; it may be a promise."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def until(self, expression, seconds):
        return wait.until(lambda: self.value(expression), seconds, lambda: f"{expression}\n{self.value('document.body.innerText')}", every=0.05)

    def press(self, key, shift=False):
        text, code = KEYS[key]
        about = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, file):
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with open(file, "wb") as out:
            out.write(base64.b64decode(shot["data"]))

    def report(self):
        return "--- browser, its console: " + "; ".join(self.said)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            os.close(self.out_)
            shutil.rmtree(self.folder, ignore_errors=True)

    kill = stop
