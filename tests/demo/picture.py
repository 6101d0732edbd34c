# SPDX-License-Identifier: Apache-2.0
"""A picture of the page with the busiest failing edge opened. usage: picture.py SOCKET FILE"""
import json
import pathlib
import shutil
import sys
import time
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from forwarder import Forwarder  # noqa: E402

path, file = sys.argv[1:]
url = f"http://127.0.0.1:{Forwarder(path).server_address[1]}/"
graph = json.load(urllib.request.urlopen(f"{url}api/v1/map"))
failing = [e for e in graph["edges"] if e["calls"] and e["errors"]["server_error"]]
chosen = max(failing or graph["edges"], key=lambda e: e.get("error_share", 0))
options = webdriver.ChromeOptions()
options.binary_location = shutil.which("chromium")
for argument in "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars", "--window-size=1440,900":
    options.add_argument(argument)
browser = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1440, "height": 860, "deviceScaleFactor": 1, "mobile": False})
for suffix, mark in ("", ""), ("-edge", f"#edge={chosen['id']}"):
    browser.get("about:blank")
    browser.get(url + mark)
    time.sleep(4)
    browser.save_screenshot(file.removesuffix(".png") + suffix + ".png")
browser.quit()
