# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser over real traffic: what it shows against what was sent, and that names stay text."""
import shutil
import subprocess

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from api import edges_at, wait_for_calls
from conftest import WEFT, free_port
from forwarder import Forwarder
from test_http import ab

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--window-size=1440,900":
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def page(agent, browser):
    port = free_port()
    weft = agent("--page", f"127.0.0.1:{port}")
    browser.port, browser.agent = port, weft
    browser.url = f"http://127.0.0.1:{port}/"
    return browser


def until(browser, condition, seconds=25):
    return WebDriverWait(browser, seconds, poll_frequency=0.2).until(lambda _: condition())


def element(browser, selector):
    """None while it is not there."""
    found = browser.find_elements(By.CSS_SELECTOR, selector)
    return found[0] if found else None


def figure(browser, name):
    """The value of one of the figures in the detail, in one reading."""
    return browser.execute_script("""
        for (const one of document.querySelectorAll(".panel .figure"))
            if (one.querySelector("dt").textContent === arguments[0])
                return one.querySelector("dd").textContent;""", name)


def click(browser, selector):
    """As a mouse does, wherever the shape is."""
    browser.execute_script("document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", selector)


def nothing_went_wrong(browser):
    """No exception, nothing refused by the security policy, nothing missing."""
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def edge_of(browser, nginx):
    edges = edges_at(wait_for_calls(browser.port, nginx.port, 1), nginx.port)
    return next(e for e in edges if e["calls"] > 10)


def test_the_map_the_detail_and_its_numbers(page, nginx_once):
    page.get(page.url)
    ab(nginx_once.port, "/users/1", 1800)
    ab(nginx_once.port, "/broken", 200)
    graph = wait_for_calls(page.port, nginx_once.port, 2000)
    edge = edge_of(page, nginx_once)
    until(page, lambda: element(page, f".edge[data-id='{edge['id']}']"))
    names = {n["id"]: n["name"] for n in graph["nodes"]}
    for node in edge["client"], edge["server"]:
        assert element(page, f".node[data-id='{node}'] .name").text == names[node]
    until(page, lambda: "bad" in element(page, f".edge[data-id='{edge['id']}']").get_attribute("class").split())

    click(page, f".edge[data-id='{edge['id']}'] .touch")
    until(page, lambda: figure(page, "calls") == "2000")
    assert figure(page, "errors") == "10.0 %"
    rows = [[cell.text for cell in row.find_elements(By.TAG_NAME, "td")] for row in page.find_elements(By.CSS_SELECTOR, ".endpoints tbody tr")]
    assert [row[0] for row in rows] == ["GET /users/{id}", "GET /broken"]
    assert [row[2] for row in rows] == ["0", "100 %"]
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".panel .chart canvas")) == 3)
    assert f"edge={edge['id']}" in page.current_url

    # The detail follows what happens, and the map keeps its places.
    place = element(page, f".node[data-id='{edge['server']}']").get_attribute("transform")
    ab(nginx_once.port, "/users/1", 500)
    until(page, lambda: figure(page, "calls") == "2500")
    assert figure(page, "errors") == "8 %"
    assert element(page, f".node[data-id='{edge['server']}']").get_attribute("transform") == place
    nothing_went_wrong(page)


def test_a_node_shows_who_calls_it_and_what_stands_behind_it(page, nginx_once):
    ab(nginx_once.port, "/", 300)
    edge = edge_of(page, nginx_once)
    page.get(f"{page.url}#node={edge['server']}")
    until(page, lambda: element(page, f".panel [data-detail='{edge['server']}']"))
    panel = element(page, ".panel").text
    assert "nginx" in panel and "Called by" in panel and "Instances" in panel and "pid " in panel
    row = next(r for r in page.find_elements(By.CSS_SELECTOR, ".panel .edges .row") if f":{nginx_once.port}" in r.text)
    assert "ab" in row.text
    row.find_element(By.CSS_SELECTOR, "button").click()
    until(page, lambda: element(page, f".panel [data-detail='{edge['id']}']"))
    nothing_went_wrong(page)


def test_the_path_of_an_edge_is_shown_by_keyboard_alone(page, nginx_once, tmp_path):
    hostile = tmp_path / HOSTILE
    shutil.copy(shutil.which("curl"), hostile)
    for _ in range(20):
        subprocess.run([hostile, "-s", f"http://127.0.0.1:{nginx_once.port}/"], check=True, capture_output=True)
    edge = edge_of(page, nginx_once)
    page.get(f"{page.url}#edge={edge['id']}")
    until(page, lambda: element(page, ".panel .path-button"))
    page.execute_script("document.querySelector('.panel .path-button').focus()")
    ActionChains(page).send_keys(Keys.ENTER).perform()
    until(page, lambda: len(page.find_elements(By.CSS_SELECTOR, ".panel .hop")) >= 4)
    section = element(page, ".panel .path")
    hops = [hop.text for hop in section.find_elements(By.CSS_SELECTOR, ".hop")]
    assert [[word for word in ("egress", "ingress") if word in hop] for hop in hops] == [["egress"], ["ingress"]] * 2
    assert all(hop.startswith("lo ") and f"127.0.0.1:{nginx_once.port}" in hop for hop in hops)
    assert HOSTILE in section.text and "nginx" in section.text
    assert page.find_elements(By.CSS_SELECTOR, "img[src=x]") == []
    finding = section.find_element(By.CSS_SELECTOR, ".finding")
    assert finding.text and "is-bad" not in finding.get_attribute("class")
    nothing_went_wrong(page)


def test_a_name_that_is_markup_stays_text(page, nginx_once, tmp_path):
    hostile = tmp_path / HOSTILE
    shutil.copy(shutil.which("curl"), hostile)
    page.get(page.url)
    for _ in range(3):
        subprocess.run([hostile, "-s", f"http://127.0.0.1:{nginx_once.port}/<script>alert(2)</script>", "--globoff"], check=True, capture_output=True)
    graph = wait_for_calls(page.port, nginx_once.port, 3)
    client = next(n["id"] for n in graph["nodes"] if n["name"] == HOSTILE)
    edge = next(e for e in edges_at(graph, nginx_once.port) if e["client"] == client)
    until(page, lambda: element(page, f".node[data-id='{edge['client']}']"))
    assert HOSTILE in element(page, f".node[data-id='{edge['client']}']").get_attribute("aria-label")
    click(page, f".edge[data-id='{edge['id']}'] .touch")
    until(page, lambda: element(page, f".panel [data-detail='{edge['id']}'] .endpoints"))
    assert HOSTILE in element(page, ".panel-head").text
    assert page.find_elements(By.CSS_SELECTOR, "img[src=x], #app script") == []
    nothing_went_wrong(page)  # an alert would have made every call above fail


def test_the_keyboard_is_enough(page, nginx_once):
    ab(nginx_once.port, "/", 300)
    edge = edge_of(page, nginx_once)
    page.get(page.url)
    until(page, lambda: element(page, f".node[data-id='{edge['server']}']"))
    ActionChains(page).send_keys("/").perform()
    assert page.switch_to.active_element.get_attribute("type") == "search"
    page.switch_to.active_element.send_keys(f":{nginx_once.port}")
    until(page, lambda: "dimmed" not in element(page, f".edge[data-id='{edge['id']}']").get_attribute("class"))
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert element(page, ".search input").get_attribute("value") == ""
    page.execute_script("document.querySelector(arguments[0]).focus()", f".node[data-id='{edge['server']}']")
    page.switch_to.active_element.send_keys(Keys.ENTER)
    until(page, lambda: element(page, f".panel [data-detail='{edge['server']}']"))
    ActionChains(page).send_keys(Keys.ESCAPE).perform()
    until(page, lambda: "Overview" in element(page, ".panel").text)
    ActionChains(page).send_keys("3").perform()
    until(page, lambda: element(page, ".ranges [aria-pressed=true]").text == "5 min")
    ActionChains(page).send_keys("?").perform()
    until(page, lambda: element(page, ".help[role=dialog]"))
    nothing_went_wrong(page)


def test_an_agent_that_is_gone_is_said(page, nginx_once):
    ab(nginx_once.port, "/", 300)
    edge_of(page, nginx_once)
    page.get(page.url)
    until(page, lambda: element(page, ".state").text == "live")
    page.agent.stop()
    until(page, lambda: element(page, ".notice.bad"))
    assert "does not answer" in element(page, ".notice.bad").text


@pytest.fixture
def quiet_agent(tmp_path):
    """An agent that sees an empty network namespace alone; gives the port at which it can be asked."""
    path = tmp_path / "weft.sock"
    process = subprocess.Popen(["unshare", "--net", WEFT, "agent", "--namespace", "self", "--page", "off", "--socket", str(path)], stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "watching" in line:
            break
    forwarder = Forwarder(path)
    yield forwarder.server_address[1]
    forwarder.shutdown()
    process.terminate()
    process.communicate(timeout=30)


def test_an_empty_map_explains_itself(browser, quiet_agent):
    browser.get(f"http://127.0.0.1:{quiet_agent}/")
    until(browser, lambda: element(browser, ".empty h1") and element(browser, ".empty h1").text == "Nothing has talked yet")
    assert "curl" in element(browser, ".empty").text
    nothing_went_wrong(browser)
