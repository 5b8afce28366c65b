"""The guest book: form, session, protection against forged requests, task, admin page."""

from unittest import mock

from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.test import Client, TestCase
from kombu.exceptions import OperationalError

from guestbook.models import Entry
from guestbook.tasks import count_words

ENTRY = {"name": "Ada", "message": "The engine weaves patterns"}


class Book(TestCase):
    def write(self, **changes):
        with self.captureOnCommitCallbacks(execute=True):
            return self.client.post("/", ENTRY | changes)

    def test_an_empty_book_says_so(self):
        self.assertContains(self.client.get("/"), "Nobody has written yet.")

    def test_an_entry_is_stored_shown_and_counted(self):
        self.assertRedirects(self.write(), "/")
        page = self.client.get("/")
        self.assertContains(page, "The engine weaves patterns")
        self.assertContains(page, "4 words")

    def test_until_the_task_has_run_the_page_says_so(self):
        with mock.patch.object(count_words, "delay"):
            self.write()
        self.assertContains(self.client.get("/"), "being counted")

    def test_a_broker_that_is_gone_does_not_lose_the_entry(self):
        with mock.patch.object(count_words, "delay", side_effect=OperationalError("no broker")):
            with self.assertLogs("guestbook.views", "ERROR"):
                self.assertRedirects(self.write(), "/")
        self.assertIsNone(Entry.objects.get().word_count)

    def test_the_session_remembers_name_and_number(self):
        self.write()
        self.write(message="Again")
        page = self.client.get("/")
        self.assertContains(page, 'value="Ada"')
        self.assertContains(page, "You have written 2 entries.")
        self.assertNotContains(Client().get("/"), "You have written")

    def test_an_incomplete_entry_is_refused_with_the_reason(self):
        answer = self.write(message="")
        self.assertContains(answer, "This field is required.", status_code=400)
        self.assertEqual(Entry.objects.count(), 0)

    def test_an_entry_that_is_too_long_is_refused(self):
        self.assertEqual(self.write(message="x" * 2001).status_code, 400)
        self.assertEqual(Entry.objects.count(), 0)

    def test_markup_is_shown_as_text(self):
        self.write(message="<script>alert(1)</script>")
        self.assertContains(self.client.get("/"), "&lt;script&gt;")

    def test_a_forged_form_is_refused(self):
        self.assertEqual(Client(enforce_csrf_checks=True).post("/", ENTRY).status_code, 403)
        self.assertEqual(Entry.objects.count(), 0)

    def test_an_entry_that_cannot_be_stored_leaves_no_task(self):
        with (
            mock.patch.object(Entry, "save", side_effect=IntegrityError),
            mock.patch.object(count_words, "delay") as put,
        ):
            with self.assertRaises(IntegrityError):
                self.write()
        put.assert_not_called()


class Task(TestCase):
    def test_counting_an_entry_that_is_gone_is_no_error(self):
        count_words(1)

    def test_counting_twice_gives_the_same(self):
        entry = Entry.objects.create(name="Ada", message="one two\nthree")
        count_words(entry.pk)
        count_words(entry.pk)
        entry.refresh_from_db()
        self.assertEqual(entry.word_count, 3)


class Admin(TestCase):
    def test_entries_are_listed_for_the_superuser_only(self):
        Entry.objects.create(name="Ada", message="Hello")
        self.assertEqual(self.client.get("/admin/guestbook/entry/").status_code, 302)
        self.client.force_login(get_user_model().objects.create_superuser("admin", "", "not a secret"))
        self.assertContains(self.client.get("/admin/guestbook/entry/"), "Ada")
