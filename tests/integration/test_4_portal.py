"""A person with a browser: signs in at the USA portal with France, and reads what the policy allows."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as seen
from selenium.webdriver.support.wait import WebDriverWait

from dive_infra.config.paths import ROOT
from tests.coalition.country import Country

ARTIFACTS = ROOT / "artifacts"
PATIENCE = 30  # seconds


@pytest.fixture
def browser(fra: Country, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[webdriver.Chrome]:
    """Chromium that trusts the coalition's CA, and nothing is ignored."""
    authorities = tmp_path / ".pki" / "nssdb"
    authorities.mkdir(parents=True)
    (tmp_path / "ca.pem").write_text(fra.outputs()["ca_certificate"])
    store = f"sql:{authorities}"
    subprocess.run(["certutil", "-d", store, "-N", "--empty-password"], check=True)
    add = ["certutil", "-d", store, "-A", "-t", "C,,", "-n", "dive", "-i", str(tmp_path / "ca.pem")]
    subprocess.run(add, check=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
        "--window-size=1280,1000", f"--user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def wait(browser: webdriver.Chrome, condition: Callable[[webdriver.Chrome], WebElement | Literal[False]]) -> WebElement:
    """Wait for a page that fulfils the condition; if none comes, fail with the page that is there instead."""
    try:
        return WebDriverWait(browser, PATIENCE).until(condition)
    except TimeoutException:
        page = browser.find_element(By.TAG_NAME, "body").text
        raise AssertionError(f"still at {browser.current_url} after {PATIENCE} s:\n{page}") from None


def picture(browser: webdriver.Chrome, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    assert browser.save_screenshot(str(ARTIFACTS / f"{name}.png"))


def test_a_french_person_signs_in_at_the_portal_of_the_usa(
    usa: Country, fra: Country, browser: webdriver.Chrome
) -> None:
    portal = usa.names.url("frontend")

    browser.get(portal)
    wait(browser, seen.element_to_be_clickable((By.ID, "login-fra"))).click()
    wait(browser, seen.element_to_be_clickable((By.ID, "kc-login")))
    assert fra.names.host("keycloak") in browser.current_url
    picture(browser, "1-sign-in-at-home")
    browser.find_element(By.ID, "username").send_keys("testuser-fra-2")
    browser.find_element(By.ID, "password").send_keys(fra.outputs()["test_user_password"])
    browser.find_element(By.ID, "kc-login").click()

    wait(browser, seen.presence_of_element_located((By.ID, "whoami")))
    assert browser.current_url.startswith(portal)
    assert browser.find_element(By.ID, "claim-countryOfAffiliation").text == "FRA"
    assert browser.find_element(By.ID, "claim-uniqueID").text == "testuser-fra-2"
    picture(browser, "2-portal-of-the-usa")

    allowed = browser.find_elements(By.CSS_SELECTOR, "tr[data-allow=true]")
    refused = browser.find_elements(By.CSS_SELECTOR, "tr[data-allow=false]")
    assert allowed, "a person of RESTRICTED clearance may read something"
    assert refused, "and not everything"
    pages = [f"{portal}/documents/{row[0].get_attribute('data-resource')}" for row in (allowed, refused)]
    browser.get(pages[0])
    assert wait(browser, seen.presence_of_element_located((By.ID, "content"))).text
    picture(browser, "3-a-document")
    browser.get(pages[1])
    assert wait(browser, seen.presence_of_element_located((By.ID, "refusal"))).text
    picture(browser, "4-a-refusal")
