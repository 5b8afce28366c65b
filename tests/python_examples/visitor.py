"""A visitor of a web site: keeps cookies, sends forms. Standard library only."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request

ANSWER_SECONDS_MAX = 60


class Visitor:
    """One browser: `get` and `post` return `(status, headers, text)`; redirections are followed."""

    def __init__(self, site: str) -> None:
        self.site = site
        self.cookies = http.cookiejar.CookieJar()
        # Without the proxies of the environment: the site is on this machine.
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def get(self, path: str) -> tuple:
        return self.ask(urllib.request.Request(self.site + path))

    def post(self, path: str, **fields: str) -> tuple:
        """Sends a form as it is."""
        body = urllib.parse.urlencode(fields).encode()
        return self.ask(urllib.request.Request(self.site + path, data=body, headers={"Origin": self.site}))

    def submit(self, path: str, **fields: str) -> tuple:
        """Fetches the page with the form, and sends it back with the token against forgery that it carries."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path)[2])
        if token is None:
            raise AssertionError(f"{path} has no form with a token")
        return self.post(path, csrfmiddlewaretoken=token[1], **fields)

    def ask(self, request: urllib.request.Request) -> tuple:
        try:
            with self.opener.open(request, timeout=ANSWER_SECONDS_MAX) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read().decode()
