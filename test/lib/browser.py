"""A Chromium without a screen, by its DevTools protocol over two pipes: no library, no port.

    with Browser() as b:
        b.look(width=400, scheme="dark")
        b.open("http://127.0.0.1:9791/")
        b.evaluate("document.title")
        b.requests, b.complaints          since open()

CHROMIUM names the program.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")


class Browser:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="gvs-browser")
        here, there = os.pipe(), os.pipe()
        self.to, self.come, self.rest, self.number = here[1], there[0], b"", 0
        self.requests, self.complaints, self.events = [], [], []

        def pipes():  # 3 is what it reads, 4 what it writes
            high = os.dup(here[0]), os.dup(there[1])
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        self.process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking",
             "--disable-component-update", "--no-first-run", "--disable-lcd-text", "--force-device-scale-factor=1",
             f"--user-data-dir={self.top}", "--remote-debugging-pipe", "about:blank"],
            close_fds=False, preexec_fn=pipes, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(here[0])
        os.close(there[1])
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, TimeoutError, EOFError):
            self.session = None
            self.call("Browser.close")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.to)
        os.close(self.come)
        shutil.rmtree(self.top, ignore_errors=True)

    def hear(self, end):
        while b"\0" not in self.rest:
            if not select.select([self.come], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.come, 1 << 20)
            if not piece:
                raise EOFError("the browser has gone")
            self.rest += piece
        line, self.rest = self.rest.split(b"\0", 1)
        return json.loads(line)

    def note(self, message):
        name, said = message.get("method"), message.get("params", {})
        self.events.append(name)
        if name == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif name == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.complaints.append(said["entry"]["text"])
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["text"])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while (answer := self.hear(end)).get("id") != self.number:
            self.note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def wait_for(self, event):
        end = time.monotonic() + 60
        while event not in self.events:
            self.note(self.hear(end))

    def go(self, url):
        self.requests, self.complaints, self.events = [], [], []
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        end = time.monotonic() + 60
        while self.evaluate("[document.readyState, location.href]") != ["complete", url]:
            assert time.monotonic() < end, f"{url} does not load"
            time.sleep(0.02)

    def open(self, url):
        self.go("about:blank")  # what was there before reloads itself no more
        self.go(url)

    def evaluate(self, text):
        answer = self.call("Runtime.evaluate", expression=text, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def html(self):
        return self.evaluate("document.documentElement.outerHTML")

    def look(self, width=1280, height=800, scheme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path, width, height):
        """Of the page, so much from its top, also of what is below the window."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        with open(path, "wb") as f:
            f.write(base64.b64decode(data["data"]))
