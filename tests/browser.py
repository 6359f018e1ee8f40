"""A headless Chromium, spoken to over a pipe (the DevTools protocol): no driver, no server, no network."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-default-apps --hide-scrollbars "
    "--remote-debugging-pipe"
).split()
# Chromium listens on descriptor 3 and answers on 4.
WIRED = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND"


class Browser:
    """One tab of a Chromium that reaches no host; `requests` are the addresses that its pages asked for."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        ends = [str(to_browser), str(from_browser)]
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                WIRED,
                *ends,
                CHROMIUM,
                *QUIET,
                NO_NETWORK,
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._number, self._session = b"", 0, None
        self.requests: list[str] = []
        tabs = self.call("Target.getTargets")["targetInfos"]
        tab = next(tab for tab in tabs if tab["type"] == "page")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" in self._buffer:
                message, self._buffer = self._buffer.split(b"\0", 1)
                yield json.loads(message)
            chunk = os.read(self._read, 1 << 20)
            if not chunk:
                raise ConnectionError("Chromium ended")
            self._buffer += chunk

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The browser's answer to one command of the protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        for answer in self._messages():
            if answer.get("method") == "Network.requestWillBeSent":
                self.requests.append(answer["params"]["request"]["url"])
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
        raise AssertionError("unreachable")

    def open(self, page: str, width: int, dark: bool = False) -> None:
        """Load the page at this width and wait until it and its math stand still."""
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Page.navigate", url=page)
        self.wait_for("document.readyState == 'complete' && location.href != 'about:blank'")
        self.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true")

    def wait_for(self, condition: str, seconds: float = 120) -> None:
        """Return when a JavaScript condition holds in the page."""
        deadline = time.monotonic() + seconds
        while not self.evaluate(condition):
            assert time.monotonic() < deadline, f"{condition} did not come true in {seconds} s"
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", expression))
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Write the visible part of the page as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
