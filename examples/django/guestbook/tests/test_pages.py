"""The other pages: figures from the cache, waiting, greeting."""

from django.core.cache import cache
from django.test import TestCase

from guestbook.models import Entry


class Figures(TestCase):
    def setUp(self):
        cache.clear()

    def test_are_computed_once_and_then_come_from_the_cache(self):
        Entry.objects.create(name="Ada", message="one", word_count=1)
        first = self.client.get("/figures/")
        self.assertContains(first, "<dt>Entries</dt><dd>1</dd>", html=True)
        Entry.objects.create(name="Ada", message="two", word_count=1)
        self.assertEqual(self.client.get("/figures/").content, first.content)
        cache.clear()
        self.assertContains(self.client.get("/figures/"), "<dt>Entries</dt><dd>2</dd>", html=True)

    def test_of_an_empty_book_are_zero(self):
        self.assertContains(self.client.get("/figures/"), "<dt>Words</dt><dd>0</dd>", html=True)

    def test_cannot_be_posted_to(self):
        self.assertEqual(self.client.post("/figures/").status_code, 405)


class Waiting(TestCase):
    def test_says_how_long_and_in_which_process(self):
        answer = self.client.get("/wait/1/").json()
        self.assertEqual(answer["waited_ms"], 1)
        self.assertGreater(answer["worker_pid"], 1)

    def test_takes_no_text_for_a_number(self):
        self.assertEqual(self.client.get("/wait/long/").status_code, 404)


class Greeting(TestCase):
    def test_is_plain_text(self):
        answer = self.client.get("/hello")
        self.assertEqual((answer.content, answer["Content-Type"]), (b"Hello, world\n", "text/plain"))
